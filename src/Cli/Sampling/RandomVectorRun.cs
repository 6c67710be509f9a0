using Embeddings.Cli.Printing;
using Embeddings.Client;
using Embeddings.V1;

namespace Embeddings.Cli.Sampling;

/// <summary>The store without a model: random vectors, searched with noisy copies of themselves, in a collection that is dropped afterwards.</summary>
internal sealed class RandomVectorRun(EmbeddingsClient client, Output output)
{
    private const int Subjects = 24;
    private const int Dimension = 512;

    // Of each value, relative to the vector's own values: about as far as two images of the same subject are apart.
    private const float Noise = 0.5f;

    private const ulong Seed = 20_250_102;

    /// <summary>Whether every best match is right.</summary>
    public async Task<bool> RunAsync(CancellationToken cancellationToken)
    {
        output.Line($"samples     no models: {Subjects} random vectors of {Dimension} dimensions are stored, and a noisy copy of each is used as a query");
        var table = new RankTable(output, "query (noisy copy)");
        await using var collection = new ScratchCollection(client);
        var request = new UpsertVectorsRequest { Collection = collection.Name };
        request.Points.AddRange(Enumerable.Range(1, Subjects).Select(subject => new VectorPoint { PointId = Name(subject), Vector = { Vector(subject) } }));
        var stored = await client.UpsertVectorsAsync(request, cancellationToken);
        output.Line($"stored      {stored.UpsertedCount} vectors through UpsertVectors");

        var search = new SearchVectorsRequest { Collection = collection.Name, Limit = 1 };
        search.Queries.AddRange(Enumerable.Range(1, Subjects).Select(subject => new SearchQuery { Vector = new QueryVector { Values = { Query(subject) } } }));
        var answer = await client.SearchVectorsAsync(search, cancellationToken);
        foreach (var (subject, result) in Enumerable.Range(1, Subjects).Zip(answer.Results))
        {
            var best = result.Points.FirstOrDefault();
            table.Add(Name(subject), best?.Point.PointId, best, best?.Point.PointId == Name(subject));
        }
        table.Print();
        return table.AllRight;
    }

    private static string Name(int subject) => $"vector-{subject:00}";

    private static float[] Vector(int subject)
    {
        var dice = Dice.For(Seed, 0, subject, 0);
        return [.. Enumerable.Range(0, Dimension).Select(_ => dice.Between(-1, 1))];
    }

    private static IEnumerable<float> Query(int subject)
    {
        var dice = Dice.For(Seed, 0, subject, 1);
        return Vector(subject).Select(value => value + dice.Between(-Noise, Noise));
    }
}
