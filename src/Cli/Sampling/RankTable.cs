using System.Globalization;
using Embeddings.Cli.Printing;
using Embeddings.V1;
using Spectre.Console;

namespace Embeddings.Cli.Sampling;

/// <summary>Queries with their best matches, and how many of these are right: the end of every demonstration.</summary>
internal sealed class RankTable(Output output, string query)
{
    private readonly Table _table = Tables.New(query, "best match", "score", "right");

    public int Right { get; private set; }

    public int Queries { get; private set; }

    /// <summary>Whether every best match so far is right.</summary>
    public bool AllRight => Right == Queries;

    public void Add(string query, string? bestMatch, ScoredPoint? best, bool isRight)
    {
        Queries++;
        Right += isRight ? 1 : 0;
        output.Object(json =>
        {
            json.WriteString("query", query);
            json.WriteString("best_match", bestMatch);
            json.WriteNumber("score", best?.Score ?? 0);
            json.WriteBoolean("right", isRight);
        });
        _table.Add(query, bestMatch ?? "nothing", (best?.Score ?? 0).ToString("0.0000", CultureInfo.InvariantCulture), isRight ? "yes" : "NO");
    }

    /// <summary>Prints the table and the rank-1 line.</summary>
    public void Print()
    {
        output.Table(_table);
        output.Object(json =>
        {
            json.WriteNumber("rank_1", Right);
            json.WriteNumber("queries", Queries);
        });
        output.Line($"rank-1 {Right}/{Queries}");
    }
}
