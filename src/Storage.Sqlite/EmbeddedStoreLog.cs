namespace Embeddings.Storage.Sqlite;

/// <summary>What the embedded store logs. Event ids 4,000 to 4,099.</summary>
internal static partial class EmbeddedStoreLog
{
    [LoggerMessage(
        4000,
        LogLevel.Information,
        "The embedded store in {Directory} is ready: {Points} points in {Collections} collections, loaded in {Milliseconds:F0} ms")]
    public static partial void StoreReady(this ILogger logger, string directory, long points, int collections, double milliseconds);

    [LoggerMessage(
        4001,
        LogLevel.Warning,
        "Collection {Collection}: {Count} points with unreadable vectors were moved to the table 'damaged', the first is {Id}")]
    public static partial void PointsDamaged(this ILogger logger, string collection, int count, string id);

    [LoggerMessage(4002, LogLevel.Error, "A group of {Count} writes failed")]
    public static partial void GroupFailed(this ILogger logger, int count, Exception exception);

    [LoggerMessage(4003, LogLevel.Warning, "A group of {Count} writes failed and is tried again request by request")]
    public static partial void GroupRetried(this ILogger logger, int count, Exception exception);

    [LoggerMessage(4004, LogLevel.Warning, "A checkpoint of the embedded store failed; the next one, or the next start, makes up for it")]
    public static partial void CheckpointFailed(this ILogger logger, Exception exception);

    [LoggerMessage(4005, LogLevel.Error, "Written points could not be taken into memory; they are searchable again after a restart")]
    public static partial void ApplyFailed(this ILogger logger, Exception exception);

    [LoggerMessage(4006, LogLevel.Critical, "The log of the embedded store could not be flushed to the disk; it takes no more writes until a restart")]
    public static partial void FlushFailed(this ILogger logger, Exception exception);
}
