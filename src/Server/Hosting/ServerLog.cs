namespace Embeddings.Server.Hosting;

/// <summary>Log messages of the server's own parts; event ids are stable.</summary>
internal static partial class ServerLog
{
    [LoggerMessage(5, LogLevel.Error, "{Method} failed: this is a bug")]
    public static partial void CallFailed(ILogger log, Exception exception, string method);
}
