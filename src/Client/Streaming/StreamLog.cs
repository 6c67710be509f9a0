using Microsoft.Extensions.Logging;

namespace Embeddings.Client.Streaming;

internal static partial class StreamLog
{
    [LoggerMessage(1, LogLevel.Warning, "{Rpc}: the connection broke ({Detail}); try {Try} in {DelayMs:F0} ms, unanswered items are sent again")]
    public static partial void Reconnecting(ILogger logger, string rpc, string detail, int @try, double delayMs);
}
