using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant;

/// <summary>Log messages of the Qdrant store. Event ids 4,100 to 4,199.</summary>
internal static partial class QdrantStoreLog
{
    [LoggerMessage(4100, LogLevel.Information, "Qdrant at {Address} is ready")]
    public static partial void QdrantReady(this ILogger logger, string address);

    [LoggerMessage(4101, LogLevel.Warning, "The store is not ready: {Reason}")]
    public static partial void QdrantNotReady(this ILogger logger, string reason);

    [LoggerMessage(
        4102,
        LogLevel.Debug,
        "Attempt {Attempt} of a call to Qdrant failed; next attempt in {Milliseconds:F0} ms: {Reason}")]
    public static partial void CallRetried(this ILogger logger, int attempt, double milliseconds, string reason);

    [LoggerMessage(
        4103,
        LogLevel.Information,
        "Created collection {Collection}: {Dimension} dimensions, {Shards} shards, {Replicas} replicas")]
    public static partial void CollectionCreated(
        this ILogger logger, string collection, int dimension, int shards, int replicas);

    [LoggerMessage(4104, LogLevel.Warning, "Qdrant rejected an upsert of {Count} points; retrying in halves: {Reason}")]
    public static partial void UpsertHalved(this ILogger logger, int count, string reason);

    [LoggerMessage(4105, LogLevel.Warning, "The API key is sent to {Address} without TLS and can be read in transit")]
    public static partial void KeyInTheClear(this ILogger logger, string address);

    [LoggerMessage(
        4106,
        LogLevel.Information,
        "Qdrant at {Address} has no collection metadata; the model of '{Collection}' is stored in a reserved point")]
    public static partial void NoMetadata(this ILogger logger, string address, string collection);

    [LoggerMessage(
        4107,
        LogLevel.Warning,
        "Qdrant at {Address} is older than 1.19 and ignores memory placement: OnDiskVectors, OnDiskPayload and the "
            + "placement of QuantizeInt8 have no effect on collection '{Collection}'")]
    public static partial void PlacementIgnored(this ILogger logger, string address, string collection);

    [LoggerMessage(4108, LogLevel.Warning, "Qdrant at {Address} failed; the store now uses {Next}")]
    public static partial void NodeChanged(this ILogger logger, string address, string next);

    [LoggerMessage(
        4109,
        LogLevel.Information,
        "Created the index {Field} ({Type}) of collection {Collection}, which its strict mode requires for filters")]
    public static partial void IndexCreated(this ILogger logger, string collection, string field, FieldType type);
}
