namespace Embeddings.Server.Hosting;

/// <summary>Log messages of the server. Event ids 3,000 to 3,099; docs/observability.md lists all events.</summary>
internal static partial class ServerLog
{
    [LoggerMessage(
        EventId = 3000,
        EventName = nameof(CallFailed),
        Level = LogLevel.Error,
        Message = "{Method} failed with an unexpected exception; this is a bug in the server")]
    public static partial void CallFailed(ILogger log, Exception exception, string method);
}
