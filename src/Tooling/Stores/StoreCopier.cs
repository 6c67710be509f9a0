using Embeddings.Storage;
namespace Embeddings.Tooling.Stores;

/// <summary>
/// Copies one collection into another store: 1. the target's collection is made with the source's dimension and model, 2. points go over page by page,
/// replacing those whose ids are there, 3. both are counted. Started again from a page's token, it goes on there.
/// </summary>
internal sealed class StoreCopier(IVectorStore source, IVectorStore target)
{
    // A page of 512-d points is about 2 MB: large enough that a round trip does not matter.
    private const int PageSize = 1000;

    // Pages that are being written while the next is read.
    private const int InFlight = 4;

    /// <param name="collection">The source's collection.</param>
    /// <param name="pageToken">Where to go on; empty for the beginning.</param>
    /// <param name="copied">Called after each page, in order, once it is durable: how many points it had, and the token to go on from (empty: the end).</param>
    /// <param name="cancellationToken">Stops between pages.</param>
    /// <returns>How many points each side has now.</returns>
    public async Task<(long Source, long Target)> CopyAsync(
        CollectionInfo collection, string pageToken, Action<int, string> copied, CancellationToken cancellationToken)
    {
        await target.EnsureCollectionAsync(new(collection.Name, collection.Dimension, collection.Model), cancellationToken);

        var writing = new Queue<(Task Write, int Points, string Next)>();
        var token = pageToken;
        do
        {
            var page = await source.ListAsync(collection.Name, PointFilter.All, PageSize, token, withVectors: true, cancellationToken);
            token = page.NextPageToken;
            writing.Enqueue((target.UpsertAsync(collection.Name, page.Points, cancellationToken), page.Points.Count, token));
            while (writing.Count > (token.Length == 0 ? 0 : InFlight))
            {
                var (write, points, next) = writing.Dequeue();
                await write;
                copied(points, next);
            }
        }
        while (token.Length > 0);

        return (
            await source.CountAsync(collection.Name, PointFilter.All, cancellationToken),
            await target.CountAsync(collection.Name, PointFilter.All, cancellationToken));
    }
}
