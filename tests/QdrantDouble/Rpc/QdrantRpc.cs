using Grpc.Core;
using Qdrant.Client.Grpc;

namespace Embeddings.QdrantDouble.Rpc;

/// <summary>The service qdrant.Qdrant.</summary>
[BindServiceMethod(typeof(QdrantRpc), nameof(Bind))]
public abstract class QdrantRpc
{
    private const string Service = "qdrant.Qdrant";

    public abstract Task<HealthCheckReply> HealthCheck(HealthCheckRequest request, ServerCallContext context);

    public static void Bind(ServiceBinderBase binder, QdrantRpc? service)
    {
        RpcMethod.Add<HealthCheckRequest, HealthCheckReply>(binder, Service, nameof(HealthCheck));
    }
}
