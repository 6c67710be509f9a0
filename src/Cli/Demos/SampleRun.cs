using Embeddings.Cli.Printing;
using Embeddings.Cli.Samples;
using Embeddings.Client;
using Embeddings.Tooling.Ingesting;
using Embeddings.V1;

namespace Embeddings.Cli.Demos;

/// <summary>
/// Stores the samples through one stream, then searches with the samples that were held out. Uses a collection per kind
/// that is deleted afterwards: samples in a default collection would tie it to the model of the demonstration.
/// </summary>
internal sealed class SampleRun(EmbeddingsClient client, Output output, IReadOnlyList<ItemKind> kinds)
{
    private readonly Dictionary<ItemKind, ScratchCollection> _collections =
        kinds.ToDictionary(kind => kind, _ => new ScratchCollection(client));

    /// <summary>Returns whether every best match is correct.</summary>
    public async Task<bool> RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await StoreAndSearchAsync(cancellationToken);
        }
        finally
        {
            foreach (var collection in _collections.Values)
            {
                await collection.DisposeAsync();
            }
        }
    }

    private async Task<bool> StoreAndSearchAsync(CancellationToken cancellationToken)
    {
        var stored = SampleSet.Stored.Where(sample => kinds.Contains(sample.Kind)).ToList();
        var subjects = kinds.Select(kind =>
            $"{SampleSet.Queries(kind).Count()} {(kind == ItemKind.Face ? "faces" : "scenes")}");
        output.Line(
            $"samples     {string.Join(" and ", subjects)}, each in {SampleSet.HeldOut} images of different light, crop, "
            + $"scale and JPEG quality: {SampleSet.StoredImages} of each are stored, the last one is held out and used as "
            + "a query");
        await Progress.RunAsync(
            output, "samples", stored.Count, progress => StoreAsync(stored, progress, cancellationToken));
        output.Line($"stored      {stored.Count} images through StreamIngest");

        var table = new RankTable(output, "query (held out)");
        foreach (var kind in kinds)
        {
            var queries = SampleSet.Queries(kind).ToList();
            var response = await client.SearchVectorsAsync(Search(kind, queries), cancellationToken);
            foreach (var (query, result) in queries.Zip(response.Results))
            {
                var best = result.Points.FirstOrDefault();
                var isCorrect = best?.Point.Payload.MediaStoreId == query.MediaStoreId;
                table.Add(query.JobId, best?.Point.PointId, best, isCorrect);
            }
        }
        table.Print();
        return table.AllCorrect;
    }

    private async Task StoreAsync(
        IEnumerable<Sample> samples, IProgress<ItemCounts> progress, CancellationToken cancellationToken)
    {
        var stored = 0;
        var requests = samples.Select(sample => sample.ToRequest(_collections[sample.Kind].Name)).ToAsyncEnumerable();
        await foreach (var response in client.StreamIngestAsync(requests, cancellationToken))
        {
            if (response.Error is { } error)
            {
                throw new ToolException($"{response.ItemId} was not stored: {ErrorLine.Of(error)}");
            }
            progress.Report(new ItemCounts(++stored, 0, 0));
        }
    }

    private SearchVectorsRequest Search(ItemKind kind, IEnumerable<Sample> queries) => new()
    {
        Collection = _collections[kind].Name,
        Queries =
        {
            kind == ItemKind.Face
                ? queries.Select(query => new SearchQuery { Face = query.Face })
                : queries.Select(query => new SearchQuery { Image = query.Image }),
        },
        Limit = 1,
    };
}
