namespace Embeddings.Core;

/// <summary>Log messages of the core: ids 1000 to 1999. Ids and names are stable.</summary>
internal static partial class CoreLog
{
    [LoggerMessage(
        1000,
        LogLevel.Warning,
        "A batch of {Count} items failed in model '{Model}'; its items run one by one",
        EventName = "BatchFailed")]
    public static partial void BatchFailed(ILogger log, Exception exception, string model, int count);

    [LoggerMessage(1001, LogLevel.Error, "Model '{Model}' failed on an item", EventName = "ItemFailed")]
    public static partial void ItemFailed(ILogger log, Exception exception, string model);

    [LoggerMessage(
        1002,
        LogLevel.Information,
        "Model '{Model}' ({Kind}, {Vectors}, {Provider}): {Description}",
        EventName = "ModelLoaded")]
    public static partial void ModelLoaded(
        ILogger log, string model, string kind, string vectors, string provider, string description);

    [LoggerMessage(1003, LogLevel.Warning, "Model '{Model}': {Notice}", EventName = "ModelNotice")]
    public static partial void ModelNotice(ILogger log, string model, string notice);

    [LoggerMessage(
        1005,
        LogLevel.Information,
        "Model '{Model}' has been idle for {Idle} and was unloaded",
        EventName = "ModelUnloaded")]
    public static partial void ModelUnloaded(ILogger log, string model, TimeSpan idle);

    [LoggerMessage(
        1006,
        LogLevel.Information,
        "Model '{Model}' changed on disk and was reloaded; fingerprint {Fingerprint}",
        EventName = "ModelReloaded")]
    public static partial void ModelReloaded(ILogger log, string model, string fingerprint);

    [LoggerMessage(
        1007,
        LogLevel.Warning,
        "Model '{Model}' changed on disk but could not be reloaded: {Reason}",
        EventName = "ModelNotReloaded")]
    public static partial void ModelNotReloaded(ILogger log, string model, string reason);

    [LoggerMessage(
        1008,
        LogLevel.Information,
        "Model '{Model}': batches of {Size} are the fastest",
        EventName = "BatchSizeFound")]
    public static partial void BatchSizeFound(ILogger log, string model, int size);

    [LoggerMessage(
        1009,
        LogLevel.Warning,
        "Model '{Model}' failed in a trial of batch sizes; its batches stay at {Size}",
        EventName = "BatchTrialFailed")]
    public static partial void BatchTrialFailed(ILogger log, Exception exception, string model, int size);

    [LoggerMessage(
        1010,
        LogLevel.Information,
        "The folder {Folder} cannot be written ({Reason}): models are prepared again at each start; set Models:CacheFolder",
        EventName = "CacheNotWritable")]
    public static partial void CacheNotWritable(ILogger log, string folder, string reason);

    [LoggerMessage(1011, LogLevel.Warning, "Model '{Model}' failed in its first run", EventName = "WarmUpFailed")]
    public static partial void WarmUpFailed(ILogger log, Exception exception, string model);

    [LoggerMessage(
        20,
        LogLevel.Warning,
        "The model file {File} has no manifest and is not served; 'embeddings models add' makes one",
        EventName = "ModelIgnored")]
    public static partial void ModelIgnored(ILogger log, string file);

    [LoggerMessage(21, LogLevel.Warning, "The folder {Directory} contains no models", EventName = "NoModels")]
    public static partial void NoModels(ILogger log, string directory);

    [LoggerMessage(
        1012,
        LogLevel.Information,
        "Model '{Model}' was found in {File} and is served; fingerprint {Fingerprint}",
        EventName = "ModelAdded")]
    public static partial void ModelAdded(ILogger log, string model, string file, string fingerprint);

    [LoggerMessage(1013, LogLevel.Warning, "The model in {File} cannot be served: {Reason}", EventName = "ModelNotAdded")]
    public static partial void ModelNotAdded(ILogger log, string file, string reason);

    [LoggerMessage(1014, LogLevel.Information, "Model '{Model}' is no longer served", EventName = "ModelRemoved")]
    public static partial void ModelRemoved(ILogger log, string model);
}
