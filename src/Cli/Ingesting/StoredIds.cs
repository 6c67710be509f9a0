using Embeddings.Client;
using Embeddings.V1;
using Grpc.Core;

namespace Embeddings.Cli.Ingesting;

/// <summary>Which points a collection has already, for <c>--resume</c>: asked for once, in pages, or one by one where there are too many to hold.</summary>
internal sealed class StoredIds
{
    // About 100 MB of ids. Beyond it a look-up per item is cheaper than the listing.
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

    public static async Task<StoredIds> LoadAsync(EmbeddingsClient client, string collection, CancellationToken cancellationToken)
    {
        try
        {
            var count = await client.CountVectorsAsync(new CountVectorsRequest { Collection = collection }, cancellationToken);
            return new StoredIds(client, collection, count.Count > MaxHeld ? null : await ListAsync(client, collection, cancellationToken));
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
            await _client.GetVectorAsync(new GetVectorRequest { Collection = _collection, PointId = pointId }, cancellationToken);
            return true;
        }
        catch (EmbeddingsException e) when (e.Status is StatusCode.NotFound or StatusCode.InvalidArgument)
        {
            // An id the store cannot have is not stored; sending the item brings the reason.
            return false;
        }
    }

    private static async Task<HashSet<string>> ListAsync(EmbeddingsClient client, string collection, CancellationToken cancellationToken)
    {
        var ids = new HashSet<string>(StringComparer.Ordinal);
        await foreach (var point in client.ListAllVectorsAsync(new ListVectorsRequest { Collection = collection, PageSize = PageSize }, cancellationToken))
        {
            ids.Add(point.PointId);
        }
        return ids;
    }
}
