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

    public static async Task<StoredIds> LoadAsync(
        EmbeddingsClient client, string collection, CancellationToken cancellationToken)
    {
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

    private static async Task<HashSet<string>> ListAsync(
        EmbeddingsClient client, string collection, CancellationToken cancellationToken)
    {
        var request = new ListVectorsRequest { Collection = collection, PageSize = PageSize };
        var ids = client.ListAllVectorsAsync(request, cancellationToken).Select(point => point.PointId);
        return await ids.ToHashSetAsync(StringComparer.Ordinal, cancellationToken);
    }
}
