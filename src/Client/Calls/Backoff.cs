namespace Embeddings.Client.Calls;

/// <summary>How long to wait before the n-th try: doubling, capped, a random half left out.</summary>
internal static class Backoff
{
    /// <param name="failures">Failures in a row, 1 or more.</param>
    /// <param name="options">The client's options.</param>
    /// <param name="random">A number from 0 to 1.</param>
    public static TimeSpan Delay(int failures, EmbeddingsClientOptions options, double random)
    {
        // Beyond 2^30 every allowed delay is over its cap.
        var doubled = options.ReconnectDelay * (1L << Math.Min(failures - 1, 30));
        var capped = doubled < options.MaxReconnectDelay ? doubled : options.MaxReconnectDelay;
        return capped * (1 - (random / 2));
    }
}
