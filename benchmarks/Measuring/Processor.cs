using System.Diagnostics;

namespace Embeddings.Benchmarks.Measuring;

/// <summary>Processor time.</summary>
internal static class Processor
{
    /// <summary>Processor time that this process took so far, over all processors.</summary>
    public static TimeSpan Own
    {
        get
        {
            using var process = Process.GetCurrentProcess();
            return process.TotalProcessorTime;
        }
    }
}
