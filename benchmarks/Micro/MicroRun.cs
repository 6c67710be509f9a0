using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Exporters;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using Embeddings.Benchmarks.Measuring;

namespace Embeddings.Benchmarks.Micro;

/// <summary>Single routines with BenchmarkDotNet.</summary>
internal static class MicroRun
{
    private static readonly Type[] Benchmarks =
    [
        typeof(LayoutBenchmark), typeof(FloatLayoutBenchmark), typeof(RawPixelsBenchmark), typeof(DotProductsBenchmark), typeof(NormalizeBenchmark), typeof(HalfFloatsBenchmark),
        typeof(BatchQueueBenchmark),
    ];

    public static Task<int> RunAsync(BenchSettings settings)
    {
        // In this process: a program generated anew would have to restore packages, which takes minutes and not every feed has.
        var job = (settings.Quick ? Job.Dry : Job.ShortRun).WithToolchain(InProcessEmitToolchain.Instance);
        var config = ManualConfig.CreateEmpty()
            .AddJob(job)
            .AddLogger(ConsoleLogger.Default)
            .AddColumnProvider(DefaultColumnProviders.Instance)
            .AddDiagnoser(MemoryDiagnoser.Default)
            .AddExporter(MarkdownExporter.GitHub)
            .WithArtifactsPath(Path.Combine(settings.Directory, "micro"));
        var summaries = BenchmarkRunner.Run(Benchmarks, config);
        var succeeded = summaries.All(static summary => !summary.HasCriticalValidationErrors && summary.Reports.All(static report => report.Success));
        return Task.FromResult(succeeded ? 0 : 1);
    }
}
