namespace Embeddings.Benchmarks;

/// <summary>Ends the benchmarks with one clear message: what was measured did not work.</summary>
internal sealed class BenchException(string message) : Exception(message);
