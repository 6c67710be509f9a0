using Embeddings.Cli.Printing;
using Embeddings.Client;
using Embeddings.V1;
using Grpc.Core;

namespace Embeddings.Cli.Demos;

/// <summary>Queries with their best matches, and the number of correct matches.</summary>
internal sealed class RankTable(Output output, string query)
{
    private readonly TextTable _table = new(query, "best match", "score", "correct");
    private int _correct;
    private int _queries;

    /// <summary>True if every best match is correct.</summary>
    public bool AllCorrect => _correct == _queries;

    public void Add(string query, string? bestMatch, ScoredPoint? best, bool isCorrect)
    {
        _queries++;
        _correct += isCorrect ? 1 : 0;
        var score = best?.Score ?? 0;
        output.Object(new { Query = query, BestMatch = bestMatch, Score = score, Right = isCorrect });
        _table.Add(query, bestMatch ?? "nothing", $"{score:0.0000}", isCorrect ? "yes" : "NO");
    }

    /// <summary>Prints the table and the rank-1 line.</summary>
    public void Print()
    {
        output.Table(_table);
        output.Object(new { Rank_1 = _correct, Queries = _queries });
        output.Line($"rank-1 {_correct}/{_queries}");
    }
}

/// <summary>
/// A collection with a unique name, deleted at the end, so that nothing remains in the store of the user.
/// </summary>
internal sealed class ScratchCollection(EmbeddingsClient client) : IAsyncDisposable
{
    public string Name { get; } = $"run-{Guid.NewGuid():N}";

    /// <summary>Deletes the collection. Not canceled with the command.</summary>
    public async ValueTask DisposeAsync()
    {
        try
        {
            var request = new DeleteCollectionRequest { Collection = Name };
            await client.DeleteCollectionAsync(request, CancellationToken.None);
        }
        catch (EmbeddingsException e) when (e.Status == StatusCode.NotFound)
        {
            // Nothing was stored.
        }
    }
}
