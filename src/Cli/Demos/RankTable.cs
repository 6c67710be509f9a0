using System.Globalization;
using Embeddings.Cli.Printing;
using Embeddings.Client;
using Embeddings.V1;
using Grpc.Core;
using Spectre.Console;

namespace Embeddings.Cli.Demos;

/// <summary>Queries with their best matches, and the number of correct matches.</summary>
internal sealed class RankTable(Output output, string query)
{
    private readonly Table _table = Tables.New(query, "best match", "score", "correct");
    private int _correct;
    private int _queries;

    /// <summary>True if every best match is correct.</summary>
    public bool AllCorrect => _correct == _queries;

    public void Add(string query, string? bestMatch, ScoredPoint? best, bool isCorrect)
    {
        _queries++;
        _correct += isCorrect ? 1 : 0;
        output.Object(json =>
        {
            json.WriteString("query", query);
            json.WriteString("best_match", bestMatch);
            json.WriteNumber("score", best?.Score ?? 0);
            json.WriteBoolean("right", isCorrect);
        });
        _table.Add(query, bestMatch ?? "nothing", (best?.Score ?? 0).ToString("0.0000", CultureInfo.InvariantCulture), isCorrect ? "yes" : "NO");
    }

    /// <summary>Prints the table and the rank-1 line.</summary>
    public void Print()
    {
        output.Table(_table);
        output.Object(json =>
        {
            json.WriteNumber("rank_1", _correct);
            json.WriteNumber("queries", _queries);
        });
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
            await client.DeleteCollectionAsync(new DeleteCollectionRequest { Collection = Name }, CancellationToken.None);
        }
        catch (EmbeddingsException e) when (e.Status == StatusCode.NotFound)
        {
            // Nothing was stored.
        }
    }
}
