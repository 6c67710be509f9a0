using Grpc.Core;
using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant;

/// <summary>What Qdrant says of a write. What it did not say it has done is not done, and is tried again.</summary>
internal static class UpdateResults
{
    public static UpdateStatus ThrowIfNotCompleted(UpdateResult result, bool acceptedWillDo = false) =>
        result.Status == UpdateStatus.Completed || (result.Status == UpdateStatus.Acknowledged && acceptedWillDo)
            ? result.Status
            : throw new RpcException(new Status(StatusCode.Unavailable, $"the write ended as {result.Status}"));
}
