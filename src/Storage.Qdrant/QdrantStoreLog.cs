namespace Embeddings.Storage.Qdrant;

/// <summary>What the store on Qdrant logs. Event ids 4,100 to 4,199.</summary>
internal static partial class QdrantStoreLog
{
    [LoggerMessage(4100, LogLevel.Information, "Qdrant at {Address} is ready")]
    public static partial void QdrantReady(this ILogger logger, string address);

    [LoggerMessage(4101, LogLevel.Warning, "The store is not ready: {Reason}")]
    public static partial void QdrantNotReady(this ILogger logger, string reason);

    [LoggerMessage(4102, LogLevel.Debug, "Try {Attempt} of a call to Qdrant failed, the next is in {Milliseconds:F0} ms: {Reason}")]
    public static partial void CallRetried(this ILogger logger, int attempt, double milliseconds, string reason);

    [LoggerMessage(4103, LogLevel.Information, "Collection {Collection} was made: {Dimension} numbers, {Shards} shards, {Replicas} replicas")]
    public static partial void CollectionMade(this ILogger logger, string collection, int dimension, int shards, int replicas);

    [LoggerMessage(4104, LogLevel.Warning, "Qdrant refused an upsert of {Count} points, which is tried again in halves: {Reason}")]
    public static partial void UpsertHalved(this ILogger logger, int count, string reason);

    [LoggerMessage(4105, LogLevel.Warning, "The API key goes to {Address} without TLS: whoever is on the way can read it")]
    public static partial void KeyInTheClear(this ILogger logger, string address);

    [LoggerMessage(4106, LogLevel.Information, "Qdrant at {Address} keeps no metadata of collections: the model of '{Collection}' is kept in a reserved point")]
    public static partial void NoMetadata(this ILogger logger, string address, string collection);

    [LoggerMessage(
        4107,
        LogLevel.Warning,
        "Qdrant at {Address} is older than 1.19 and ignores memory placement: OnDiskVectors, OnDiskPayload and the placement of QuantizeInt8 have no "
            + "effect on collection '{Collection}'")]
    public static partial void PlacementIgnored(this ILogger logger, string address, string collection);
}
