using Embeddings.Client;
using Embeddings.V1;
using Grpc.Core;

namespace Embeddings.Tooling.Ingesting;

/// <summary>
/// Ids of the stored points of a collection, for <c>--resume</c>. They are listed once, or, if there are too many, looked
/// up one by one.
/// </summary>
internal sealed class StoredIds
{
    // About 100 MB of ids. Above this, one lookup per item costs less than the listing.
    private const long MaxHeld = 1_000_000;
    private const int PageSize = 1_000;

    private readonly EmbeddingsClient _client;
    private readonly string _collection;
    private readonly HashSet<string>? _ids;

    private StoredIds(EmbeddingsClient client, string collection, HashSet<string>? ids)
    {
        _client = client;
        _collection = collection;
        _ids = ids;
    }

    /// <summary>Loads the ids of a collection, which may not exist yet.</summary>
    /// <param name="client">Client to use.</param>
    /// <param name="collection">Name of the collection.</param>
    /// <param name="model">The model of the ingest. Points of another model must not be skipped.</param>
    /// <param name="warn">Receives a warning if the model of the points is unknown.</param>
    /// <param name="cancellationToken">Cancels the calls.</param>
    /// <exception cref="ToolException">Another model filled the collection.</exception>
    public static async Task<StoredIds> LoadAsync(
        EmbeddingsClient client, string collection, Model model, Action<string> warn, CancellationToken cancellationToken)
    {
        var known = await client.ListAllCollectionsAsync(cancellationToken)
            .FirstOrDefaultAsync(item => item.Name == collection, cancellationToken);
        if (known is { PointCount: > 0, Model: "" })
        {
            warn($"The model of the {known.PointCount:N0} points of collection {collection} is unknown; --resume skips them.");
        }
        else if (known is { PointCount: > 0 } && IsOther(known, model))
        {
            throw new ToolException(
                $"--resume cannot skip the {known.PointCount:N0} points of collection {collection}: they are of model "
                + $"{Name(known.Model, known.ModelFingerprint)}, not of {Name(model.Name, model.Fingerprint)}. Use another "
                + "--collection or --model.",
                reason: "COLLECTION_MODEL_MISMATCH");
        }
        try
        {
            var count = await client.CountVectorsAsync(collection, cancellationToken: cancellationToken);
            var ids = count > MaxHeld ? null : await ListAsync(client, collection, cancellationToken);
            return new StoredIds(client, collection, ids);
        }
        catch (EmbeddingsException e) when (e.Status == StatusCode.NotFound)
        {
            return new StoredIds(client, collection, []);
        }
    }

    public async ValueTask<bool> ContainsAsync(string pointId, CancellationToken cancellationToken)
    {
        if (_ids is not null)
        {
            return _ids.Contains(pointId);
        }
        try
        {
            await _client.GetVectorAsync(_collection, pointId, cancellationToken);
            return true;
        }
        catch (EmbeddingsException e) when (e.Status is StatusCode.NotFound or StatusCode.InvalidArgument)
        {
            // An invalid id is not stored. Sending the item returns the reason.
            return false;
        }
    }

    // A model that is not loaded may have no fingerprint.
    private static bool IsOther(Collection known, Model model) =>
        known.ModelFingerprint.Length > 0 && model.Fingerprint.Length > 0
            ? known.ModelFingerprint != model.Fingerprint
            : known.Model != model.Name;

    private static string Name(string model, string fingerprint) =>
        fingerprint.Length > 0 ? $"'{model}' (fingerprint {fingerprint[..Math.Min(12, fingerprint.Length)]})" : $"'{model}'";

    private static async Task<HashSet<string>> ListAsync(
        EmbeddingsClient client, string collection, CancellationToken cancellationToken)
    {
        var request = new ListVectorsRequest { Collection = collection, PageSize = PageSize };
        var ids = client.ListAllVectorsAsync(request, cancellationToken).Select(point => point.PointId);
        return await ids.ToHashSetAsync(StringComparer.Ordinal, cancellationToken);
    }
}
