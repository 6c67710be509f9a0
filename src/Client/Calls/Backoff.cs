namespace Embeddings.Client.Calls;

/// <summary>Exponential backoff with a maximum delay and jitter.</summary>
internal static class Backoff
{
    /// <summary>Returns the delay before the next attempt.</summary>
    /// <param name="failures">Number of consecutive failures, 1 or more.</param>
    /// <param name="options">Options with the initial and the maximum delay.</param>
    /// <param name="random">Random value from 0 to 1; 1 halves the delay.</param>
    public static TimeSpan Delay(int failures, EmbeddingsClientOptions options, double random)
    {
        // With a factor of 2^30, every valid initial delay exceeds the maximum delay.
        var doubled = options.ReconnectDelay * (1L << Math.Min(failures - 1, 30));
        var capped = doubled < options.MaxReconnectDelay ? doubled : options.MaxReconnectDelay;
        return capped * (1 - (random / 2));
    }
}
