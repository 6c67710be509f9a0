namespace Embeddings.Storage.Sqlite;

/// <summary>Log messages of the embedded store. Event ids 4,000 to 4,099.</summary>
internal static partial class EmbeddedStoreLog
{
    [LoggerMessage(
        4000,
        LogLevel.Information,
        "The embedded store in {Directory} is ready: loaded {Points} points in {Collections} collections in "
            + "{Milliseconds:F0} ms")]
    public static partial void StoreReady(
        this ILogger logger, string directory, long points, int collections, double milliseconds);

    [LoggerMessage(
        4001,
        LogLevel.Warning,
        "Collection {Collection}: {Count} points are damaged and are moved to the table 'damaged'; the SHA-256 of the first one's "
            + "id begins with {IdDigest}")]
    public static partial void PointsDamaged(this ILogger logger, string collection, int count, string idDigest);

    [LoggerMessage(4002, LogLevel.Error, "A group of {Count} writes failed")]
    public static partial void GroupFailed(this ILogger logger, int count, Exception exception);

    [LoggerMessage(4003, LogLevel.Warning, "A group of {Count} writes failed and is retried request by request")]
    public static partial void GroupRetried(this ILogger logger, int count, Exception exception);

    [LoggerMessage(
        4004,
        LogLevel.Warning,
        "A checkpoint of the embedded store failed; the next checkpoint or start completes it")]
    public static partial void CheckpointFailed(this ILogger logger, Exception exception);

    [LoggerMessage(
        4005,
        LogLevel.Error,
        "Written points could not be loaded into memory; they are searchable after a restart")]
    public static partial void ApplyFailed(this ILogger logger, Exception exception);

    [LoggerMessage(
        4006,
        LogLevel.Critical,
        "The log of the embedded store could not be flushed to disk; the store rejects writes until a restart")]
    public static partial void FlushFailed(this ILogger logger, Exception exception);

    [LoggerMessage(
        4007,
        LogLevel.Warning,
        "The embedded store exceeds a limit: {Limit}. It stays usable, and the limit applies to what is added")]
    public static partial void LimitExceeded(this ILogger logger, string limit);

    [LoggerMessage(4008, LogLevel.Error, "{Reason}")]
    public static partial void DiskFull(this ILogger logger, string reason);

    [LoggerMessage(4009, LogLevel.Information, "The disk of {Directory} has space again; the store accepts writes")]
    public static partial void DiskHasSpace(this ILogger logger, string directory);

    [LoggerMessage(
        4010,
        LogLevel.Error,
        "Collection {Collection}: the damaged points could not be moved to the table 'damaged': {Reason}. Stop the server "
            + "and run 'embeddings store salvage'")]
    public static partial void DamagedNotMoved(this ILogger logger, string collection, string reason);

    [LoggerMessage(
        4011,
        LogLevel.Warning,
        "Deleted points could not be removed from the files of the embedded store yet; the store tries again")]
    public static partial void EraseFailed(this ILogger logger, Exception exception);

    [LoggerMessage(
        4012,
        LogLevel.Warning,
        "{Pages} unused pages of '{File}' may hold what an earlier version of the server deleted. Stop the server and run "
            + "'embeddings store compact' once")]
    public static partial void FreePagesOfEarlierVersion(this ILogger logger, long pages, string file);

    [LoggerMessage(
        4030,
        LogLevel.Information,
        "Collection {Collection}: the index of {Count} points was read from its file, and {Rows} points from the database")]
    public static partial void IndexFileLoaded(this ILogger logger, string collection, int count, int rows);

    [LoggerMessage(
        4031,
        LogLevel.Warning,
        "Collection {Collection}: '{File}' does not belong to the database as it is, for example because the database was restored "
            + "from a backup; the index is built from the database")]
    public static partial void IndexFileDiscarded(this ILogger logger, string collection, string file);

    [LoggerMessage(
        4032,
        LogLevel.Warning,
        "The file of the index of '{Collection}' cannot be used; a start after this reads the points from the database")]
    public static partial void IndexFileFailed(this ILogger logger, string collection, Exception exception);

    [LoggerMessage(
        4033,
        LogLevel.Error,
        "Collection {Collection}: {Count} points in the index differed from the database and were read again")]
    public static partial void IndexDiffered(this ILogger logger, string collection, long count);

    [LoggerMessage(
        4034,
        LogLevel.Warning,
        "Collection {Collection}: the points could not be compared with the index from its file: {Reason}")]
    public static partial void IndexNotVerified(this ILogger logger, string collection, string reason);

    [LoggerMessage(4050, LogLevel.Warning, "Collection {Collection} is searched exactly: {Reason}")]
    public static partial void ApproximateIndexUnavailable(this ILogger logger, string collection, string reason);

    [LoggerMessage(
        4051,
        LogLevel.Information,
        "Collection {Collection}: the graph of {Points} points was loaded in {Milliseconds:F0} ms; {Others} of the file had changed")]
    public static partial void GraphLoaded(
        this ILogger logger, string collection, long points, long others, double milliseconds);

    [LoggerMessage(4052, LogLevel.Warning, "Collection {Collection}: the graph is built again, because its file cannot be used: {Reason}")]
    public static partial void GraphDiscarded(this ILogger logger, string collection, string reason);

    [LoggerMessage(
        4053,
        LogLevel.Information,
        "Collection {Collection}: approximate searches of {Points} points find {Recall:F3} of the 10 nearest, with {Candidates} candidates")]
    public static partial void GraphMeasured(
        this ILogger logger, string collection, long points, float recall, int candidates);

    [LoggerMessage(
        4054,
        LogLevel.Warning,
        "Collection {Collection}: the graph could not be saved, and is built again at the next start: {Reason}")]
    public static partial void GraphNotSaved(this ILogger logger, string collection, string reason);

    [LoggerMessage(
        4055,
        LogLevel.Warning,
        "Collection {Collection}: the file of the graph has vectors of deleted points and could not be deleted yet: {Reason}")]
    public static partial void GraphNotErased(this ILogger logger, string collection, string reason);

    [LoggerMessage(4056, LogLevel.Error, "Collection {Collection} is searched exactly until a restart: its graph could not be built")]
    public static partial void GraphFailed(this ILogger logger, string collection, Exception exception);

    [LoggerMessage(4057, LogLevel.Warning, "Graphs are not saved, because the store has no key for their files: {Reason}")]
    public static partial void GraphKeyMissing(this ILogger logger, string reason);
}
