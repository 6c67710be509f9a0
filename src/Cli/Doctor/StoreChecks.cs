using Embeddings.Client;
using Embeddings.V1;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace Embeddings.Cli.Doctor;

/// <summary>Everything a store does, on a collection of its own that is dropped at the end.</summary>
internal sealed class StoreChecks(EmbeddingsClient client, DoctorReport report)
{
    private const int Points = 24;
    private const int Dimension = 16;

    private readonly string _collection = $"doctor-{Guid.NewGuid():N}";

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        report.Begin();
        await report.CheckAsync("store upsert", () => UpsertAsync(cancellationToken), needed: true);
        await report.CheckAsync("store count", async () =>
        {
            var count = await client.CountVectorsAsync(_collection, cancellationToken: cancellationToken);
            return Expect(count, Points, "points");
        });
        await report.CheckAsync("store get", async () =>
        {
            var point = await client.GetVectorAsync(_collection, Id(3), cancellationToken);
            return point.Payload.JobId == Job(3) && point.Vector.Count == Dimension ? $"{point.PointId} with its payload" : throw new CliException("the point came back changed");
        });
        await report.CheckAsync("store search", () => SearchAsync(new(), Id(5), cancellationToken));
        await report.CheckAsync("store search with filter", () => SearchAsync(new() { JobId = Job(6) }, Id(6), cancellationToken));
        await report.CheckAsync("store search by attribute", () =>
            SearchAsync(new() { Attributes = { new AttributeCondition { Key = "number", Range = new() { Gte = 7, Lt = 8 } } } }, Id(7), cancellationToken));
        await report.CheckAsync("store refuses bad vectors", () => RefuseAsync(cancellationToken));
        await report.CheckAsync("store list", () => ListAsync(cancellationToken));
        await report.CheckAsync("store delete by id", async () =>
        {
            var response = await client.DeleteVectorsAsync(new DeleteVectorsRequest { Collection = _collection, PointIds = { Id(0), Id(1), "not there" } }, cancellationToken);
            return Expect(response.DeletedCount, 2, "points");
        });
        await report.CheckAsync("store delete by job", async () => Expect(await client.DeleteByJobIdAsync(Job(4), _collection, cancellationToken), 4, "points"));

        // Whatever came before: nothing of the doctor's stays behind. Not cancelled with the rest.
        report.Begin();
        await report.CheckAsync("store drop collection", async () =>
        {
            var response = await client.DeleteCollectionAsync(new DeleteCollectionRequest { Collection = _collection }, CancellationToken.None);
            return $"{response.DeletedCount} points went with it";
        });
    }

    private async Task<string> UpsertAsync(CancellationToken cancellationToken)
    {
        var request = new UpsertVectorsRequest { Collection = _collection };
        request.Points.AddRange(Enumerable.Range(0, Points).Select(i => new VectorPoint
        {
            PointId = Id(i),
            Vector = { Vector(i) },
            Payload = new() { JobId = Job(i), MediaStoreId = "doctor", FaceIndex = i, Attributes = new Struct { Fields = { ["number"] = Value.ForNumber(i) } } },
        }));
        var response = await client.UpsertVectorsAsync(request, cancellationToken);
        return Expect(response.UpsertedCount, Points, $"points in {_collection}");
    }

    private async Task<string> SearchAsync(Filter filter, string expected, CancellationToken cancellationToken)
    {
        var index = int.Parse(expected.AsSpan(expected.LastIndexOf('-') + 1), System.Globalization.CultureInfo.InvariantCulture);
        var found = await client.SearchVectorsAsync(_collection, Vector(index), 3, filter, cancellationToken);
        return found.Count > 0 && found[0].Point.PointId == expected && found[0].Score > 0.999f
            ? $"{expected} first, score {found[0].Score:F4}"
            : throw new CliException($"{expected} was not found first");
    }

    private async Task<string> RefuseAsync(CancellationToken cancellationToken)
    {
        var point = new VectorPoint { PointId = "bad", Vector = { 1, 2, 3 } };
        try
        {
            await client.UpsertVectorsAsync(new UpsertVectorsRequest { Collection = _collection, Points = { point } }, cancellationToken);
        }
        catch (EmbeddingsException e) when (e.Status == StatusCode.InvalidArgument)
        {
            return $"{e.Reason} for another dimension";
        }
        throw new CliException($"a vector of 3 numbers was taken where all have {Dimension}");
    }

    private async Task<string> ListAsync(CancellationToken cancellationToken)
    {
        var ids = new HashSet<string>();
        var request = new ListVectorsRequest { Collection = _collection, PageSize = 7 };
        await foreach (var point in client.ListAllVectorsAsync(request, cancellationToken))
        {
            ids.Add(point.PointId);
        }
        return Expect(ids.Count, Points, "points over several pages");
    }

    private static string Expect(long actual, long expected, string what) =>
        actual == expected ? $"{actual} {what}" : throw new CliException($"{actual} {what} instead of {expected}");

    private static string Id(int i) => $"doctor-{i}";

    // Four points to a job would make the filtered search ambiguous; six jobs of four do, since each point is nearest to itself.
    private static string Job(int i) => $"job-{i % 6}";

    // Points on a circle in two of the dimensions: all different, none opposite to its neighbour.
    private static float[] Vector(int i)
    {
        var vector = new float[Dimension];
        (vector[i % 3], vector[5]) = ((float)Math.Cos(i * 0.25), (float)Math.Sin(i * 0.25) + 2);
        return vector;
    }
}
