using Embeddings.Tooling.Benching;
using Embeddings.V1;

namespace Embeddings.Tooling.Tests.Benching;

public sealed class LoadResultTests
{
    [Fact]
    public void Results_of_streams_are_summed()
    {
        var (first, second) = (new LoadResult(), new LoadResult());
        // A run of 4 and two runs of 1: six items in three runs.
        for (var i = 1; i <= 4; i++)
        {
            first.Add(Response(4), TimeSpan.FromMilliseconds(10 * i));
        }
        second.Add(Response(1), TimeSpan.FromMilliseconds(5));
        second.Add(Response(1), TimeSpan.FromMilliseconds(100));
        second.Add(new StreamEmbedResponse { Error = new ItemError { Reason = "IMAGE_INVALID" } }, TimeSpan.FromMilliseconds(1));

        var sum = LoadResult.Sum([first, second], TimeSpan.FromSeconds(2));

        Assert.Equal(6, sum.Embedded);
        Assert.Equal(1, sum.Failed);
        Assert.Equal("IMAGE_INVALID", sum.FirstError!.Reason);
        Assert.Equal(3, sum.Rate);
        Assert.Equal(2, sum.MeanBatch);
        Assert.Equal([(1, 2L), (4, 4L)], sum.Batches.Select(batch => (batch.Key, batch.Value)));
        Assert.Equal([1f, 5, 10, 20, 30, 40, 100], sum.Latencies);
        Assert.Equal(20, sum.Latency(0.5));
        Assert.Equal(100, sum.Latency(1));
    }

    [Fact]
    public void An_empty_result_has_a_report()
    {
        var sum = LoadResult.Sum([new LoadResult()], TimeSpan.FromSeconds(1));
        Assert.Equal(0, sum.Rate);
        Assert.Equal(0, sum.MeanBatch);
        Assert.Equal(0, sum.Latency(0.99));
        Assert.Contains("</html>", BenchReport.Html([], sum, DateTimeOffset.UnixEpoch), StringComparison.Ordinal);
    }

    private static StreamEmbedResponse Response(int batch) =>
        new() { Embedding = new Embedding(), Timings = new Timings { BatchSize = batch } };
}
