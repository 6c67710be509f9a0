using Embeddings.Primitives;
using Embeddings.Server.Grpc.Mapping;
using Embeddings.Server.Hosting;
using Embeddings.Server.Security;
using Embeddings.Storage;
using Grpc.Core;

namespace Embeddings.Server.Privacy;

/// <summary>
/// Deletes points, jobs, and collections: 1. puts the ids on the suppression list, if requested, 2. deletes the points that are
/// not on legal hold, 3. signs a receipt, if requested.
/// </summary>
internal sealed class DeletionHandler(
    IVectorStore store, Receipts receipts, Suppression suppression, ILogger<DeletionHandler> log)
{
    public const int MaxIds = 10_000;

    public async Task<V1.DeleteVectorsResponse> DeleteAsync(V1.DeleteVectorsRequest request, ServerCallContext context)
    {
        var collection = Require.Collection(request.Collection);
        var filter = FilterMapping.ToStored(request.Filter);
        var ids = PointIds(request.PointIds, request.Filter is not null);
        // An empty filter matches everything; a collection must not be emptied by mistake.
        if (ids is null && filter.IsEmpty)
        {
            throw Fault.Invalid(
                Reasons.FieldRequired,
                "filter",
                "filter must have at least one condition; use DeleteCollection to delete all points.");
        }
        var receipt = request.WithReceipt ? receipts.Begin(context.Method) : null;
        if (request.Suppress)
        {
            suppression.RequireList();
            if (ids is not null)
            {
                suppression.Add(ids.Select(id => new SuppressedId(SuppressedKind.Point, collection, id)));
            }
        }
        DeleteCounts counts;
        if (ids is not null)
        {
            counts = await store.DeleteAsync(collection, ids, receipt?.In(collection), context.CancellationToken);
        }
        else
        {
            await RequireReceiptAsync(receipt, collection, filter, context);
            counts = request.Suppress
                ? await SuppressAsync(collection, filter, receipt, context)
                : await store.DeleteAsync(collection, filter, receipt?.In(collection), context.CancellationToken);
        }
        ServerLog.PointsDeleted(log, context.Method, counts.Deleted, collection);
        return new()
        {
            DeletedCount = counts.Deleted,
            HeldCount = counts.Held,
            Receipt = Sign(receipt, counts),
        };
    }

    public async Task<V1.DeleteByJobIdResponse> DeleteAsync(V1.DeleteByJobIdRequest request, ServerCallContext context)
    {
        var filter = new PointFilter { JobId = Require.Text(request.JobId, "job_id", Require.MaxIdBytes) };
        var collection = request.Collection.Length > 0 ? Require.Collection(request.Collection) : "";
        var receipt = request.WithReceipt ? receipts.Begin(context.Method) : null;
        if (request.Suppress)
        {
            suppression.RequireList();
            if (collection.Length == 0 && !Caller.Of(context.GetHttpContext()).CoversAll)
            {
                throw Fault.Invalid(
                    Reasons.FieldRequired,
                    "collection",
                    "collection is required with suppress, because this caller is limited to some collections.");
            }
            suppression.Add([new(SuppressedKind.Job, collection, request.JobId)]);
        }
        var counts = collection.Length > 0
            ? await DeleteAsync(collection, filter, receipt, context)
            : await DeleteEverywhereAsync(filter, receipt, context);
        return new()
        {
            DeletedCount = counts.Deleted,
            HeldCount = counts.Held,
            Receipt = Sign(receipt, counts),
        };
    }

    public async Task<V1.DeleteCollectionResponse> DeleteAsync(V1.DeleteCollectionRequest request, ServerCallContext context)
    {
        var collection = Require.Collection(request.Collection);
        var receipt = request.WithReceipt ? receipts.Begin(context.Method) : null;
        await RequireReceiptAsync(receipt, collection, PointFilter.All, context);
        var counts = await store.DropCollectionAsync(collection, receipt?.In(collection), context.CancellationToken);
        if (counts.Held == 0)
        {
            ServerLog.CollectionDeleted(log, context.Method, collection, counts.Deleted);
        }
        else
        {
            ServerLog.PointsDeleted(log, context.Method, counts.Deleted, collection);
        }
        return new()
        {
            DeletedCount = counts.Deleted,
            HeldCount = counts.Held,
            Receipt = Sign(receipt, counts),
        };
    }

    public async Task<V1.SetLegalHoldResponse> SetHoldAsync(V1.SetLegalHoldRequest request, ServerCallContext context)
    {
        var collection = request.Collection.Length > 0 || request.Filter is null ? Require.Collection(request.Collection) : "";
        var filter = FilterMapping.ToStored(request.Filter);
        var changed = PointIds(request.PointIds, request.Filter is not null) is { } ids
            ? await store.SetHoldAsync(collection, ids, request.Hold, context.CancellationToken)
            : await SetHoldAsync(collection, filter, request.Hold, context);
        ServerLog.HoldsChanged(log, context.Method, request.Hold, changed, collection.Length > 0 ? collection : All(context));
        return new() { ChangedCount = changed };
    }

    private async Task<long> SetHoldAsync(string collection, PointFilter filter, bool hold, ServerCallContext context)
    {
        if (collection.Length > 0)
        {
            return await store.SetHoldAsync(collection, filter, hold, context.CancellationToken);
        }
        var changed = 0L;
        foreach (var info in await CoveredAsync(context))
        {
            try
            {
                changed += await store.SetHoldAsync(info.Name, filter, hold, context.CancellationToken);
            }
            catch (Fault fault) when (fault.Reason == Reasons.CollectionNotFound)
            {
                // Another call has deleted the collection since it was listed.
            }
        }
        return changed;
    }

    private async Task<DeleteCounts> DeleteEverywhereAsync(
        PointFilter filter, ReceiptBuilder? receipt, ServerCallContext context)
    {
        var counts = default(DeleteCounts);
        try
        {
            foreach (var info in await CoveredAsync(context))
            {
                try
                {
                    await RequireReceiptAsync(receipt, info.Name, filter, context);
                    counts += await store.DeleteAsync(info.Name, filter, receipt?.In(info.Name), context.CancellationToken);
                }
                catch (Fault fault) when (fault.Reason == Reasons.CollectionNotFound)
                {
                    // Another call has deleted the collection since it was listed, including the points of the job.
                }
            }
        }
        finally
        {
            // A call that fails may have deleted points of the first collections.
            ServerLog.PointsDeleted(log, context.Method, counts.Deleted, All(context));
        }
        return counts;
    }

    // A call without a collection is about those of its caller.
    private async Task<IEnumerable<CollectionInfo>> CoveredAsync(ServerCallContext context)
    {
        var caller = Caller.Of(context.GetHttpContext());
        var collections = await store.ListCollectionsAsync(context.CancellationToken);
        return collections.Where(collection => caller.Covers(collection.Name));
    }

    private static string All(ServerCallContext context) =>
        Caller.Of(context.GetHttpContext()) is { CoversAll: false } caller ? $"all collections of {caller.Name}" : "all collections";

    private async Task<DeleteCounts> DeleteAsync(
        string collection, PointFilter filter, ReceiptBuilder? receipt, ServerCallContext context)
    {
        await RequireReceiptAsync(receipt, collection, filter, context);
        var counts = await store.DeleteAsync(collection, filter, receipt?.In(collection), context.CancellationToken);
        ServerLog.PointsDeleted(log, context.Method, counts.Deleted, collection);
        return counts;
    }

    /// <summary>Deletes the points that match, page by page: the ids of a page are on the list before its points are gone.</summary>
    private async Task<DeleteCounts> SuppressAsync(
        string collection, PointFilter filter, ReceiptBuilder? receipt, ServerCallContext context)
    {
        var free = filter with { OnHold = false };
        var counts = new DeleteCounts(
            0, await store.CountAsync(collection, filter with { OnHold = true }, context.CancellationToken));
        if (filter.OnHold is true)
        {
            return counts;
        }
        while (true)
        {
            // From the start: the points of the last page are gone.
            var page = await store.ListKeysAsync(collection, free, "", context.CancellationToken);
            if (page.Keys.Count == 0)
            {
                return counts;
            }
            List<string> ids = [.. page.Keys.Select(key => key.Id)];
            suppression.Add(ids.Select(id => new SuppressedId(SuppressedKind.Point, collection, id)));
            var deleted = await store.DeleteAsync(collection, ids, receipt?.In(collection), context.CancellationToken);
            counts += deleted with { Held = 0 };
        }
    }

    // Before the first point is deleted, since Qdrant cannot undo it.
    private async Task RequireReceiptAsync(
        ReceiptBuilder? receipt, string collection, PointFilter filter, ServerCallContext context)
    {
        receipt?.Require(await store.CountAsync(collection, filter, context.CancellationToken));
    }

    private V1.DeletionReceipt? Sign(ReceiptBuilder? receipt, DeleteCounts counts) =>
        receipt is null ? null : receipts.Sign(receipt, counts);

    /// <summary>Returns the ids, or null if there is a filter. INVALID_ARGUMENT for both or neither.</summary>
    public static List<string>? PointIds(IReadOnlyCollection<string> ids, bool hasFilter)
    {
        if (ids.Count > 0 == hasFilter)
        {
            throw Fault.Invalid(Reasons.FieldRequired, "point_ids", "Exactly one of point_ids and filter is required.");
        }
        if (hasFilter)
        {
            return null;
        }
        Require.NotEmpty(ids.Count, "point_ids", MaxIds);
        return [.. ids.Select((id, i) => Require.Text(id, $"point_ids[{i}]", Require.MaxPointIdBytes))];
    }
}
