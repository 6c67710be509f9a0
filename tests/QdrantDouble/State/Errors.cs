using Grpc.Core;

namespace Embeddings.QdrantDouble.State;

/// <summary>Errors in the words of Qdrant.</summary>
internal static class Errors
{
    public static RpcException Invalid(string message) => new(new Status(StatusCode.InvalidArgument, message));

    public static RpcException Validation(string field, string value, string must) =>
        Invalid($"Validation error in body: [{field}: value {value} invalid, must be {must}]");

    public static RpcException NoCollection(string name) =>
        new(new Status(StatusCode.NotFound, $"Not found: Collection `{name}` doesn't exist!"));

    public static RpcException CollectionExists(string name) =>
        new(new Status(StatusCode.AlreadyExists, $"Wrong input: Collection `{name}` already exists!"));

    public static RpcException Dimension(ulong expected, int got) =>
        Invalid($"Wrong input: Vector dimension error: expected dim: {expected}, got {got}");

    public static RpcException LostShard(int node) => new(new Status(
        StatusCode.Unavailable, $"Service internal error: The replica set for shard {node} on peer {node} has no active replica"));

    public static RpcException Unserved(string what) =>
        new(new Status(StatusCode.Unimplemented, $"The double does not implement {what}."));
}
