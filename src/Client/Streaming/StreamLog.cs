using Microsoft.Extensions.Logging;

namespace Embeddings.Client.Streaming;

internal static partial class StreamLog
{
    [LoggerMessage(
        1,
        LogLevel.Warning,
        "{Rpc}: The connection broke ({Detail}). Reconnect attempt {Attempt} starts in {DelayMs:F0} ms; unanswered items will be resent.")]
    public static partial void Reconnecting(ILogger logger, string rpc, string detail, int attempt, double delayMs);
}
