using Embeddings.QdrantDouble.Rpc;
using Grpc.Core;
using Qdrant.Client.Grpc;

namespace Embeddings.QdrantDouble.Services;

internal sealed class HealthApi(DoubleOptions options) : QdrantRpc
{
    public override Task<HealthCheckReply> HealthCheck(HealthCheckRequest request, ServerCallContext context) =>
        Task.FromResult(new HealthCheckReply { Title = "qdrant - vector search engine (double)", Version = options.Old ? "1.9.0" : "1.19.0" });
}
