using Embeddings.Cli.Printing;
using Embeddings.Client;
using Embeddings.V1;

namespace Embeddings.Cli.Sampling;

/// <summary>Stores the sample set through one stream, then searches it with the images that were not stored.</summary>
internal sealed class SampleRun(EmbeddingsClient client, Output output, SampleSet samples, IReadOnlyList<ItemKind> kinds)
{
    // Other points in the same collections are no match for a sample.
    private static readonly Filter SamplesOnly = new() { Attributes = { new AttributeCondition { Key = "sample", Flag = true } } };

    /// <summary>Whether every best match is right.</summary>
    public async Task<bool> RunAsync(CancellationToken cancellationToken)
    {
        var total = SampleSet.SubjectsOfAKind * kinds.Count * SampleSet.StoredPictures;
        var subjects = string.Join(" and ", kinds.Select(kind => $"{SampleSet.SubjectsOfAKind} {(kind == ItemKind.Face ? "faces" : "scenes")}"));
        output.Line($"samples     {subjects} drawn by code, each {SampleSet.HeldOut} times in different light, crop, scale and JPEG quality: "
            + $"{SampleSet.StoredPictures} of each are stored, the last one is held out and used as a query");
        await ProgressView.RunAsync(output, "samples", total, progress => StoreAsync(progress, cancellationToken));
        output.Line($"stored      {total} images through StreamIngest");

        var table = new RankTable(output, "query (held out)");
        foreach (var kind in kinds)
        {
            var queries = samples.Queries(kind).ToList();
            var answer = await client.SearchVectorsAsync(Search(kind, queries), cancellationToken);
            foreach (var (query, result) in queries.Zip(answer.Results))
            {
                var best = result.Points.FirstOrDefault();
                table.Add(query.JobId, best?.Point.PointId, best, best?.Point.Payload.MediaStoreId == query.MediaStoreId);
            }
        }
        table.Print();
        return table.AllRight;
    }

    private async Task StoreAsync(IProgress<Tally> progress, CancellationToken cancellationToken)
    {
        var tally = default(Tally);
        var stored = samples.Stored().Where(sample => kinds.Contains(sample.Kind)).Select(sample => sample.ToRequest());
        await foreach (var answer in client.StreamIngestAsync(stored.ToAsyncEnumerable(), cancellationToken))
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
}
