using Embeddings.Client;
using Embeddings.V1;
using Grpc.Core;

namespace Embeddings.Cli.Demos;

/// <summary>Steps of both store demonstrations.</summary>
internal sealed class StoreSteps(Demo demo, string collection)
{
    private const double ScoreTolerance = 1e-4;

    public async Task AddAsync(VectorPoint point, string model, CancellationToken cancellationToken)
    {
        var request = new UpsertVectorsRequest { Collection = collection, Points = { point }, Model = model };
        var answer = await demo.Client.UpsertVectorsAsync(request, cancellationToken);
        demo.Check(answer.UpsertedCount == 1, "one point is written");
        var after = $"durable after {answer.Timings?.StoreUs ?? 0} us";
        demo.Print("add", $"{point.PointId} into {collection}, {after}", ("point_id", point.PointId));
    }

    public async Task<VectorPoint> GetAsync(VectorPoint stored, CancellationToken cancellationToken)
    {
        var point = await demo.Client.GetVectorAsync(collection, stored.PointId, cancellationToken);
        demo.Check(point.Vector.SequenceEqual(stored.Vector), "the returned vector is identical");
        demo.Check(point.Payload.Equals(stored.Payload), "the returned payload is identical");
        var payload = $"job_id={point.Payload.JobId} media_store_id={point.Payload.MediaStoreId}";
        demo.Print("get", $"{point.PointId}: ({point.Vector.Count},) {payload}", ("point_id", point.PointId));
        return point;
    }

    /// <summary>Searches with a stored vector: its own point is first, with a score of 1.</summary>
    public async Task SearchAsync(VectorPoint stored, CancellationToken cancellationToken)
    {
        var values = stored.Vector.ToArray();
        var found = await demo.Client.SearchVectorsAsync(collection, values, 3, cancellationToken: cancellationToken);
        PrintFound("search", $"with the vector of {stored.PointId}", found);
        var isFirst = found.Count > 0
            && found[0].Point.PointId == stored.PointId
            && Math.Abs(found[0].Score - 1) < ScoreTolerance;
        demo.Check(isFirst, "the point itself is first, with a score of 1");
    }

    public void PrintFound(string step, string with, IReadOnlyList<ScoredPoint> found) => demo.Print(
        step,
        $"{with}: {string.Join(", ", found.Select(hit => $"{hit.Point.PointId} {hit.Score:0.0000}"))}",
        ("found", found.Select(hit => new { hit.Point.PointId, hit.Score })));

    public void PrintIngested(IngestAck ack) => demo.Print(
        "ingest", $"embedded and stored as {ack.PointId} in {ack.Collection}", ("point_id", ack.PointId));

    public async Task CountAsync(long expected, CancellationToken cancellationToken)
    {
        var count = await demo.Client.CountVectorsAsync(collection, cancellationToken: cancellationToken);
        demo.Print("count", $"{count} in {collection}", ("count", count));
        demo.Check(count == expected, $"there are {expected} points");
    }

    public async Task CheckGoneAsync(string pointId, CancellationToken cancellationToken)
    {
        try
        {
            await demo.Client.GetVectorAsync(collection, pointId, cancellationToken);
            demo.Check(false, $"{pointId} is deleted");
        }
        catch (EmbeddingsException e) when (e.Status == StatusCode.NotFound)
        {
            demo.Print("get", $"{pointId}: {StatusName.WithReason(e)}, as expected", ("reason", e.Reason));
        }
    }
}
