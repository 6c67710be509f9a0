using Embeddings.V1;

namespace Embeddings.Client;

/// <summary>Shorter forms of calls on collections, aliases, and several points.</summary>
public static class CollectionExtensions
{
    /// <summary>Creates a collection for vectors of a dimension.</summary>
    /// <param name="client">Client to use.</param>
    /// <param name="collection">Name of the collection.</param>
    /// <param name="dimension">Number of dimensions of each vector, 1 to the limit of the store.</param>
    /// <param name="settings">Settings of the collection, or null for the defaults.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    public static async Task<Collection> CreateCollectionAsync(
        this EmbeddingsClient client,
        string collection,
        int dimension,
        CollectionSettings? settings = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(client);
        var request = new CreateCollectionRequest { Collection = collection, Dimension = dimension, Settings = settings };
        return (await client.CreateCollectionAsync(request, cancellationToken).ConfigureAwait(false)).Collection;
    }

    /// <summary>Returns a collection with its settings and aliases.</summary>
    /// <param name="client">Client to use.</param>
    /// <param name="collection">Name or alias of the collection.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    public static async Task<Collection> GetCollectionAsync(
        this EmbeddingsClient client, string collection, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(client);
        var request = new GetCollectionRequest { Collection = collection };
        return (await client.GetCollectionAsync(request, cancellationToken).ConfigureAwait(false)).Collection;
    }

    /// <summary>Creates an alias, or moves it to another collection.</summary>
    /// <param name="client">Client to use.</param>
    /// <param name="alias">Name of the alias.</param>
    /// <param name="collection">Name of the collection.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    public static Task SetAliasAsync(
        this EmbeddingsClient client, string alias, string collection, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(client);
        var request = new UpdateAliasesRequest { Set = { new Alias { Alias_ = alias, Collection = collection } } };
        return client.UpdateAliasesAsync(request, cancellationToken);
    }

    /// <summary>Enumerates all aliases, sorted by name.</summary>
    /// <param name="client">Client to use.</param>
    /// <param name="cancellationToken">Cancels the enumeration.</param>
    public static IAsyncEnumerable<Alias> ListAllAliasesAsync(
        this EmbeddingsClient client, CancellationToken cancellationToken = default) =>
        EmbeddingsClientExtensions.PagesAsync(
            "",
            async (token, cancel) =>
            {
                var request = new ListAliasesRequest { PageToken = token };
                var response = await client.ListAliasesAsync(request, cancel).ConfigureAwait(false);
                return (response.Aliases, response.NextPageToken);
            },
            cancellationToken);

    /// <summary>Returns several stored points with their vectors and payloads; ids that do not exist are left out.</summary>
    /// <param name="client">Client to use.</param>
    /// <param name="collection">Name of the collection.</param>
    /// <param name="pointIds">Ids of the points: 1 to 1,000.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    public static async Task<IReadOnlyList<VectorPoint>> GetVectorsAsync(
        this EmbeddingsClient client,
        string collection,
        IEnumerable<string> pointIds,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(client);
        var request = new GetVectorsRequest { Collection = collection, PointIds = { pointIds }, VectorsAsBytes = true };
        return (await client.GetVectorsAsync(request, cancellationToken).ConfigureAwait(false)).Points;
    }

    /// <summary>Sets attributes of points; their other attributes stay as they are.</summary>
    /// <param name="client">Client to use.</param>
    /// <param name="collection">Name of the collection.</param>
    /// <param name="pointIds">Ids of the points: 1 to 10,000, all of which must exist.</param>
    /// <param name="attributes">Attributes to set, as in <see cref="AttributesExtensions.ToStruct"/>.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    public static async Task<long> SetAttributesAsync(
        this EmbeddingsClient client,
        string collection,
        IEnumerable<string> pointIds,
        IReadOnlyDictionary<string, object?> attributes,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(client);
        var request = new SetAttributesRequest { Collection = collection, PointIds = { pointIds }, Attributes = attributes.ToStruct() };
        return (await client.SetAttributesAsync(request, cancellationToken).ConfigureAwait(false)).MatchedCount;
    }
}
