namespace Embeddings.Core;

/// <summary>Every log message of the server; event ids are stable.</summary>
internal static partial class CoreLog
{
    [LoggerMessage(1, LogLevel.Warning, "A batch of {Count} failed in model '{Model}'; its items run one by one")]
    public static partial void BatchFailed(ILogger log, Exception exception, string model, int count);

    [LoggerMessage(2, LogLevel.Error, "Model '{Model}' failed on an item")]
    public static partial void ItemFailed(ILogger log, Exception exception, string model);

    [LoggerMessage(3, LogLevel.Information, "Model '{Model}' ({Kind}, {Dimension}-d, {Provider}): {Description}")]
    public static partial void ModelLoaded(ILogger log, string model, string kind, int dimension, string provider, string description);

    [LoggerMessage(4, LogLevel.Warning, "Model '{Model}': {Notice}")]
    public static partial void ModelNotice(ILogger log, string model, string notice);

    [LoggerMessage(6, LogLevel.Information, "Model '{Model}' has been idle for {Idle} and is unloaded")]
    public static partial void ModelUnloaded(ILogger log, string model, TimeSpan idle);

    [LoggerMessage(7, LogLevel.Information, "Model '{Model}' has changed on disk and is loaded anew; fingerprint {Fingerprint}")]
    public static partial void ModelReloaded(ILogger log, string model, string fingerprint);

    [LoggerMessage(8, LogLevel.Warning, "Model '{Model}' has changed on disk, but stays as it was: {Reason}")]
    public static partial void ModelNotReloaded(ILogger log, string model, string reason);
}
