using BenchmarkDotNet.Attributes;
using Embeddings.Core;
using Embeddings.Core.Batching;
using Embeddings.Primitives;
using Embeddings.Server.Hosting;
using Microsoft.Extensions.Logging.Abstractions;

namespace Embeddings.Benchmarks.Micro;

/// <summary>The cost of the batch queue per item, with a model that does nothing: reserve, commit, run, answer.</summary>
public class BatchQueueBenchmark
{
    private const int Items = 1024;

    private BatchRunner? _runner;

    /// <summary>Callers at once, each with one item after the other.</summary>
    [Params(1, 16, 256)]
    public int Callers { get; set; }

    [GlobalSetup]
    public void SetUp()
    {
        _runner = new BatchRunner(
            new EmptyModel(), new BatchingOptions(), EmptyModel.Metrics(), TimeProvider.System, NullLogger.Instance);
    }

    [Benchmark(OperationsPerInvoke = Items)]
    public Task Run() => Task.WhenAll(Enumerable.Range(0, Callers).Select(_ => Task.Run(CallAsync)));

    [GlobalCleanup]
    public void CleanUp() => _runner?.Dispose();

    private async Task CallAsync()
    {
        for (var i = 0; i < Items / Callers; i++)
        {
            var item = await _runner!.Queue.ReserveAsync(this, CancellationToken.None);
            await item.Commit(CancellationToken.None);
        }
    }
}
