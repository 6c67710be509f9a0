using Embeddings.Cli.Printing;
using Embeddings.Client;
using Embeddings.V1;

namespace Embeddings.Cli.Demos;

/// <summary>
/// Demonstrates the store without a model: random vectors, searched with noisy copies, in a collection that is deleted
/// afterwards.
/// </summary>
internal sealed class RandomVectorRun(EmbeddingsClient client, Output output)
{
    private const int Subjects = 24;
    private const int Dimension = 512;

    // Relative to the values of the vectors: about the distance of two images of the same subject.
    private const float Noise = 0.5f;

    /// <summary>Returns whether every best match is correct.</summary>
    public async Task<bool> RunAsync(CancellationToken cancellationToken)
    {
        output.Line(
            $"samples     no models: {Subjects} random vectors of {Dimension} dimensions are stored, and a noisy copy of "
            + "each is used as a query");
        var table = new RankTable(output, "query (noisy copy)");
        var random = new Random(20_250_102);
        var vectors = Enumerable.Range(0, Subjects).Select(_ => Values(random, 1)).ToList();
        await using var collection = new ScratchCollection(client);
        var request = new UpsertVectorsRequest { Collection = collection.Name };
        request.Points.AddRange(
            vectors.Select((vector, i) => new VectorPoint { PointId = Name(i), Vector = { vector } }));
        var stored = await client.UpsertVectorsAsync(request, cancellationToken);
        output.Line($"stored      {stored.UpsertedCount} vectors through UpsertVectors");

        var search = new SearchVectorsRequest { Collection = collection.Name, Limit = 1 };
        search.Queries.AddRange(vectors.Select(vector =>
        {
            var noisy = vector.Zip(Values(random, Noise), (value, noise) => value + noise);
            return new SearchQuery { Vector = new QueryVector { Values = { noisy } } };
        }));
        var response = await client.SearchVectorsAsync(search, cancellationToken);
        foreach (var (i, result) in response.Results.Index())
        {
            var best = result.Points.FirstOrDefault();
            table.Add(Name(i), best?.Point.PointId, best, best?.Point.PointId == Name(i));
        }
        table.Print();
        return table.AllCorrect;
    }

    private static string Name(int index) => $"vector-{index + 1:00}";

    private static float[] Values(Random random, float bound) =>
        [.. Enumerable.Range(0, Dimension).Select(_ => ((random.NextSingle() * 2) - 1) * bound)];
}
