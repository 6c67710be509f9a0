using System.Globalization;
using Embeddings.Cli.Printing;
using Embeddings.Client;
using Embeddings.V1;

namespace Embeddings.Cli.Sampling;

/// <summary>Stores the sample set through one stream, then searches it with the pictures that were not stored.</summary>
internal sealed class SampleRun(EmbeddingsClient client, Output output, SampleSet samples)
{
    private const double LeastRight = 0.95;

    // Other pictures in the same collections are none of the samples' business.
    private static readonly Filter SamplesOnly = new() { Attributes = { new AttributeCondition { Key = "sample", Flag = true } } };

    /// <summary>Whether enough of the best matches are right.</summary>
    public async Task<bool> RunAsync(CancellationToken cancellationToken)
    {
        const int Total = SampleSet.SubjectsOfAKind * 2 * SampleSet.StoredPictures;
        output.Line($"samples     {SampleSet.SubjectsOfAKind} scenes and {SampleSet.SubjectsOfAKind} faces drawn by code, "
            + $"each {SampleSet.HeldOut} times in other light, crop, scale and JPEG quality: "
            + $"{SampleSet.StoredPictures} of each are stored, the last is held out and searched with");
        await ProgressView.RunAsync(output, "samples", Total, progress => StoreAsync(progress, cancellationToken));
        output.Line($"stored      {Total} pictures through StreamIngest");

        var table = Tables.New("query (held out)", "best match", "score", "right");
        var (right, asked) = (0, 0);
        foreach (var kind in Enum.GetValues<ItemKind>())
        {
            var queries = samples.Queries(kind).ToList();
            var answer = await client.SearchVectorsAsync(Search(kind, queries), cancellationToken);
            foreach (var (query, result) in queries.Zip(answer.Results))
            {
                var best = result.Points.FirstOrDefault();
                var isRight = best?.Point.Payload.MediaStoreId == query.MediaStoreId;
                (right, asked) = (right + (isRight ? 1 : 0), asked + 1);
                Show(table, query, best, isRight);
            }
        }
        output.Table(table);
        output.Object(json =>
        {
            json.WriteNumber("rank_1", right);
            json.WriteNumber("queries", asked);
        });
        output.Line($"rank-1 {right}/{asked}");
        return right >= LeastRight * asked;
    }

    private async Task StoreAsync(IProgress<Tally> progress, CancellationToken cancellationToken)
    {
        var tally = default(Tally);
        await foreach (var answer in client.StreamIngestAsync(samples.Stored().Select(sample => sample.ToRequest()).ToAsyncEnumerable(), cancellationToken))
        {
            if (answer.Error is { } error)
            {
                throw new CliException($"{answer.ItemId} was not stored: {StatusName.Of(error.Code)} {error.Reason}: {error.Message}");
            }
            tally = tally.AddStored();
            progress.Report(tally);
        }
    }

    private static SearchVectorsRequest Search(ItemKind kind, IEnumerable<Sample> queries) => new()
    {
        Collection = kind.Collection(),
        Queries = { queries.Select(query => kind == ItemKind.Face ? new SearchQuery { Face = query.Face } : new SearchQuery { Image = query.Image }) },
        Limit = 1,
        Filter = SamplesOnly,
    };

    private void Show(Spectre.Console.Table table, Sample query, ScoredPoint? best, bool isRight)
    {
        output.Object(json =>
        {
            json.WriteString("query", query.JobId);
            json.WriteString("best_match", best?.Point.PointId);
            json.WriteNumber("score", best?.Score ?? 0);
            json.WriteBoolean("right", isRight);
        });
        table.Add(query.JobId, best?.Point.PointId ?? "nothing", (best?.Score ?? 0).ToString("0.0000", CultureInfo.InvariantCulture), isRight ? "yes" : "NO");
    }
}
