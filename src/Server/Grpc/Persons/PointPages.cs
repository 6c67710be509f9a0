using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using Embeddings.Primitives;
using Embeddings.Storage;

namespace Embeddings.Server.Grpc.Persons;

/// <summary>Work on any number of points.</summary>
internal static class PointPages
{
    private const int PageSize = 1000;

    /// <summary>Reads all points that match, page by page.</summary>
    public static async IAsyncEnumerable<IReadOnlyList<StoredPoint>> PagesAsync(
        this IVectorStore store,
        string collection,
        PointFilter filter,
        bool withVectors,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var token = "";
        do
        {
            var page = await store.ListAsync(collection, filter, PageSize, token, withVectors, cancellationToken);
            yield return page.Points;
            token = page.NextPageToken;
        }
        while (token.Length > 0);
    }

    /// <summary>Changes the attributes of points, except for those that have been deleted since their ids were read.</summary>
    public static async Task<long> UpdateExistingAsync(
        this IVectorStore store,
        string collection,
        IReadOnlyList<string> ids,
        Func<StoredPoint, JsonObject?> change,
        CancellationToken cancellationToken)
    {
        var existing = ids.ToList();
        while (true)
        {
            try
            {
                return await store.UpdateAttributesAsync(collection, existing, change, cancellationToken);
            }
            catch (Fault fault) when (fault.Reason == Reasons.PointNotFound && existing.Remove(fault.Metadata[FaultKeys.Point]))
            {
            }
        }
    }
}
