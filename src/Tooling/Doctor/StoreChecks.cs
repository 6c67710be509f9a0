using Embeddings.Client;
using Embeddings.V1;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace Embeddings.Tooling.Doctor;

/// <summary>Checks every operation of the store on a collection of its own, which is deleted at the end.</summary>
internal sealed class StoreChecks(EmbeddingsClient client, DoctorReport report)
{
    private const int Points = 24;
    private const int Dimension = 16;

    private readonly string _collection = $"doctor-{Guid.NewGuid():N}";

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        report.Begin();
        await report.CheckAsync("store upsert", () => UpsertAsync(cancellationToken), required: true);
        await report.CheckAsync("store count", async () =>
            Expect(await client.CountVectorsAsync(_collection, cancellationToken: cancellationToken), Points, "points"));
        await report.CheckAsync("store get", () => GetAsync(cancellationToken));
        await report.CheckAsync("store search", () => SearchAsync(new(), 5, cancellationToken));
        var job = new Filter { JobId = Job(6) };
        await report.CheckAsync("store search with filter", () => SearchAsync(job, 6, cancellationToken));
        var condition = new AttributeCondition { Key = "number", Range = new() { Gte = 7, Lt = 8 } };
        var seven = new Filter { Attributes = { condition } };
        await report.CheckAsync("store search by attribute", () => SearchAsync(seven, 7, cancellationToken));
        await report.CheckAsync("store refuses bad vectors", () => RefuseAsync(cancellationToken));
        await report.CheckAsync("store list", () => ListAsync(cancellationToken));
        await report.CheckAsync("store delete by id", async () =>
        {
            var request = new DeleteVectorsRequest { Collection = _collection, PointIds = { Id(0), Id(1), "absent" } };
            return Expect((await client.DeleteVectorsAsync(request, cancellationToken)).DeletedCount, 2, "points");
        });
        await report.CheckAsync("store delete by job", async () =>
            Expect(await client.DeleteByJobIdAsync(Job(4), _collection, cancellationToken), 4, "points"));

        // Always runs, and is not canceled with the rest: the collection must not remain.
        report.Begin();
        await report.CheckAsync("store drop collection", async () =>
        {
            var response = await client.DeleteCollectionAsync(new() { Collection = _collection }, CancellationToken.None);
            return $"deleted with {response.DeletedCount} points";
        });
    }

    private async Task<string> UpsertAsync(CancellationToken cancellationToken)
    {
        var request = new UpsertVectorsRequest { Collection = _collection };
        request.Points.AddRange(Enumerable.Range(0, Points).Select(i => new VectorPoint
        {
            PointId = Id(i),
            Vector = { Vector(i) },
            Payload = new()
            {
                JobId = Job(i),
                MediaStoreId = "doctor",
                FaceIndex = i,
                Attributes = new() { Fields = { ["number"] = Value.ForNumber(i) } },
            },
        }));
        var response = await client.UpsertVectorsAsync(request, cancellationToken);
        return Expect(response.UpsertedCount, Points, $"points in {_collection}");
    }

    private async Task<string> GetAsync(CancellationToken cancellationToken)
    {
        var point = await client.GetVectorAsync(_collection, Id(3), cancellationToken);
        return point.Payload.JobId == Job(3) && point.Vector.Count == Dimension
            ? $"{point.PointId} with its payload"
            : throw new ToolException($"{Id(3)} does not have the vector and payload that were stored.");
    }

    private async Task<string> SearchAsync(Filter filter, int index, CancellationToken cancellationToken)
    {
        var found = await client.SearchVectorsAsync(
            _collection, Vector(index), 3, filter, cancellationToken: cancellationToken);
        return found.Count > 0 && found[0].Point.PointId == Id(index) && found[0].Score > 0.999f
            ? $"{Id(index)} first, score {found[0].Score:F4}"
            : throw new ToolException(
                $"The first result must be {Id(index)}; got {found.FirstOrDefault()?.Point.PointId ?? "nothing"}.");
    }

    private async Task<string> RefuseAsync(CancellationToken cancellationToken)
    {
        var point = new VectorPoint { PointId = "bad", Vector = { 1, 2, 3 } };
        try
        {
            await client.UpsertVectorsAsync(new() { Collection = _collection, Points = { point } }, cancellationToken);
        }
        catch (EmbeddingsException e) when (e.Status == StatusCode.InvalidArgument)
        {
            return $"{e.Reason} for another dimension";
        }
        throw new ToolException($"A vector of 3 dimensions was accepted in a collection of {Dimension} dimensions.");
    }

    private async Task<string> ListAsync(CancellationToken cancellationToken)
    {
        var request = new ListVectorsRequest { Collection = _collection, PageSize = 7 };
        var ids = await client.ListAllVectorsAsync(request, cancellationToken)
            .Select(point => point.PointId)
            .ToHashSetAsync(cancellationToken: cancellationToken);
        return Expect(ids.Count, Points, "points over several pages");
    }

    private static string Expect(long actual, long expected, string what) =>
        actual == expected ? $"{actual} {what}" : throw new ToolException($"Expected {expected} {what}; got {actual}.");

    private static string Id(int i) => $"doctor-{i}";

    // Six jobs of four points: each point is nearest to itself.
    private static string Job(int i) => $"job-{i % 6}";

    // Points on a circle in two of the dimensions: all different, and none opposite to its neighbor.
    private static float[] Vector(int i)
    {
        var vector = new float[Dimension];
        vector[i % 3] = (float)Math.Cos(i * 0.25);
        vector[5] = (float)Math.Sin(i * 0.25) + 2;
        return vector;
    }
}
