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

    [LoggerMessage(
        EventId = 3010,
        EventName = nameof(MemoryLimit),
        Level = LogLevel.Information,
        Message = "The process may use {Limit} MiB; a message may have {Message} MiB, decoding an image may need {Image} MiB")]
    public static partial void MemoryLimit(ILogger log, long limit, long message, long image);
}
