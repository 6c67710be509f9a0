using Embeddings.QdrantDouble.Rpc;
using Embeddings.QdrantDouble.State;
using Embeddings.QdrantDouble.Troubles;
using Grpc.Core;
using Qdrant.Client.Grpc;

namespace Embeddings.QdrantDouble.Services;

internal sealed class PointsApi(Database database, TroublePlan plan, DoubleOptions options) : PointsRpc
{
    private long _operation;

    public override Task<PointsOperationResponse> Upsert(UpsertPoints request, ServerCallContext context)
    {
        var collection = database.Require(request.CollectionName);
        StrictMode.CheckUpsert(collection, request.Points.Count);
        var points = new List<Point>(request.Points.Count);
        foreach (var point in request.Points)
        {
            var size = Database.Dense(point).Length;
            if ((ulong)size == collection.Dimension)
            {
                points.Add(Database.ToPoint(collection, point));
            }
            else if (!options.Old || request.Wait)
            {
                throw Errors.Dimension(collection.Dimension, size);
            }
        }
        // Shards write their points separately: points of available nodes are written even if others fail.
        var lost = points.Where(point => plan.IsLost(NodeOf(point.Key))).ToList();
        if (lost.Count > 0)
        {
            var kept = points.Where(point => !plan.IsLost(NodeOf(point.Key))).ToList();
            var rest = request.Clone();
            rest.Points.Clear();
            rest.Points.AddRange(request.Points.Where(point => !plan.IsLost(NodeOf(PointKey.Of(point.Id)))));
            database.Upsert(rest, kept);
            throw Errors.LostShard(NodeOf(lost[0].Key));
        }
        database.Upsert(request, points);
        return Done(request.Wait);
    }

    public override Task<PointsOperationResponse> Delete(DeletePoints request, ServerCallContext context)
    {
        var collection = database.Require(request.CollectionName);
        RequireNodes();
        StrictMode.CheckFilter(collection, request.Points?.Filter);
        PointKey[] keys = request.Points?.Filter is { } filter
            ? [.. collection.Sorted().Where(FilterMatch.Compile(filter)).Select(point => point.Key)]
            : [.. (request.Points?.Points?.Ids ?? throw Errors.Invalid("PointSelector is missing")).Select(PointKey.Of)];
        database.Delete(request.CollectionName, keys);
        return Done(request.Wait);
    }

    public override Task<UpdateBatchResponse> UpdateBatch(UpdateBatchPoints request, ServerCallContext context)
    {
        var collection = database.Require(request.CollectionName);
        RequireNodes();
        foreach (var operation in request.Operations)
        {
            StrictMode.CheckFilter(collection, PayloadPatch.SelectorOf(operation).Filter);
        }
        database.Patch(request);
        var result = new UpdateResult
        {
            OperationId = (ulong)Interlocked.Increment(ref _operation),
            Status = request.Wait ? UpdateStatus.Completed : UpdateStatus.Acknowledged,
        };
        return Task.FromResult(new UpdateBatchResponse { Result = { request.Operations.Select(_ => result.Clone()) } });
    }

    public override Task<PointsOperationResponse> CreateFieldIndex(CreateFieldIndexCollection request, ServerCallContext context)
    {
        JsonPath.Parse(request.FieldName);
        StrictMode.CheckIndex(database.Require(request.CollectionName));
        database.Index(request);
        return Done(request.Wait);
    }

    public override Task<PointsOperationResponse> DeleteFieldIndex(DeleteFieldIndexCollection request, ServerCallContext context)
    {
        database.Unindex(request);
        return Done(request.Wait);
    }

    public override Task<GetResponse> Get(GetPoints request, ServerCallContext context)
    {
        var collection = database.Require(request.CollectionName);
        var found = request.Ids.Select(PointKey.Of).Distinct()
            .Select(key => plan.IsLost(NodeOf(key)) ? throw Errors.LostShard(NodeOf(key)) : collection.Find(key))
            .OfType<Point>()
            .Select(point => Replies.Retrieved(point, request.WithPayload, request.WithVectors, options));
        return Task.FromResult(new GetResponse { Result = { found } });
    }

    public override Task<ScrollResponse> Scroll(ScrollPoints request, ServerCallContext context)
    {
        var collection = database.Require(request.CollectionName);
        RequireNodes();
        var limit = request.HasLimit ? (int)request.Limit : 10;
        if (limit == 0)
        {
            throw Errors.Validation("limit", "0", "1.0 or larger");
        }
        StrictMode.CheckRead(collection, request.Filter, limit);
        var from = request.Offset is null ? collection.Sorted() : collection.From(PointKey.Of(request.Offset));
        var found = from.Where(FilterMatch.Compile(request.Filter)).Take(limit + 1).ToList();
        return Task.FromResult(new ScrollResponse
        {
            Result = { found.Take(limit).Select(point => Replies.Retrieved(point, request.WithPayload, request.WithVectors, options)) },
            NextPageOffset = found.Count > limit ? found[limit].Key.ToId() : null,
        });
    }

    public override Task<CountResponse> Count(CountPoints request, ServerCallContext context)
    {
        var collection = database.Require(request.CollectionName);
        RequireNodes();
        StrictMode.CheckRead(collection, request.Filter, exact: request.Exact);
        var count = request.Filter is null ? collection.Count : collection.Sorted().Count(FilterMatch.Compile(request.Filter));
        return Task.FromResult(new CountResponse { Result = new() { Count = (ulong)count } });
    }

    public override Task<QueryResponse> Query(QueryPoints request, ServerCallContext context) =>
        Task.FromResult(new QueryResponse { Result = { Nearest(request) } });

    public override Task<QueryBatchResponse> QueryBatch(QueryBatchPoints request, ServerCallContext context)
    {
        StrictMode.CheckBatch(database.Require(request.CollectionName), request.QueryPoints.Count);
        return Task.FromResult(new QueryBatchResponse { Result = { request.QueryPoints.Select(query => new BatchResult { Result = { Nearest(query) } }) } });
    }

    private IEnumerable<ScoredPoint> Nearest(QueryPoints request)
    {
        var collection = database.Require(request.CollectionName);
        RequireNodes();
        var limit = request.HasLimit ? (int)request.Limit : 10;
        if (limit == 0)
        {
            throw Errors.Validation("limit", "0", "1.0 or larger");
        }
        StrictMode.CheckRead(collection, request.Filter, limit, request.Params?.Exact is true);
        var dense = request.Query?.Nearest?.Dense ?? throw Errors.Unserved("this query");
        if ((ulong)dense.Data.Count != collection.Dimension)
        {
            throw Errors.Dimension(collection.Dimension, dense.Data.Count);
        }
        var query = Point.Normalize([.. dense.Data]);
        var matches = FilterMatch.Compile(request.Filter);
        return
        [
            .. collection.Sorted().Where(matches)
                .Select(point => (Point: point, Score: point.Score(query)))
                // Qdrant excludes points at the threshold.
                .Where(hit => !request.HasScoreThreshold || hit.Score > request.ScoreThreshold)
                .OrderByDescending(hit => hit.Score)
                .Skip((int)request.Offset)
                .Take(limit)
                .Select(hit => Replies.Scored(hit.Point, hit.Score, request.WithPayload, request.WithVectors, options)),
        ];
    }

    private Task<PointsOperationResponse> Done(bool wait) => Task.FromResult(new PointsOperationResponse
    {
        Result = new() { OperationId = (ulong)Interlocked.Increment(ref _operation), Status = wait ? UpdateStatus.Completed : UpdateStatus.Acknowledged },
    });

    private void RequireNodes()
    {
        if (plan.AnyLost)
        {
            throw Errors.LostShard(Enumerable.Range(0, options.Nodes).First(plan.IsLost));
        }
    }

    private int NodeOf(PointKey key) => (int)((uint)key.GetHashCode() % options.Nodes);
}
