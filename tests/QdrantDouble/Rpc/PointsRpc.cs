using Grpc.Core;
using Qdrant.Client.Grpc;

namespace Embeddings.QdrantDouble.Rpc;

/// <summary>The service qdrant.Points, with the methods that the double implements.</summary>
[BindServiceMethod(typeof(PointsRpc), nameof(Bind))]
public abstract class PointsRpc
{
    private const string Service = "qdrant.Points";

    public abstract Task<PointsOperationResponse> Upsert(UpsertPoints request, ServerCallContext context);

    public abstract Task<PointsOperationResponse> Delete(DeletePoints request, ServerCallContext context);

    public abstract Task<UpdateBatchResponse> UpdateBatch(UpdateBatchPoints request, ServerCallContext context);

    public abstract Task<GetResponse> Get(GetPoints request, ServerCallContext context);

    public abstract Task<PointsOperationResponse> CreateFieldIndex(CreateFieldIndexCollection request, ServerCallContext context);

    public abstract Task<PointsOperationResponse> DeleteFieldIndex(DeleteFieldIndexCollection request, ServerCallContext context);

    public abstract Task<ScrollResponse> Scroll(ScrollPoints request, ServerCallContext context);

    public abstract Task<CountResponse> Count(CountPoints request, ServerCallContext context);

    public abstract Task<QueryResponse> Query(QueryPoints request, ServerCallContext context);

    public abstract Task<QueryBatchResponse> QueryBatch(QueryBatchPoints request, ServerCallContext context);

    public static void Bind(ServiceBinderBase binder, PointsRpc? service)
    {
        RpcMethod.Add<UpsertPoints, PointsOperationResponse>(binder, Service, nameof(Upsert));
        RpcMethod.Add<DeletePoints, PointsOperationResponse>(binder, Service, nameof(Delete));
        RpcMethod.Add<UpdateBatchPoints, UpdateBatchResponse>(binder, Service, nameof(UpdateBatch));
        RpcMethod.Add<GetPoints, GetResponse>(binder, Service, nameof(Get));
        RpcMethod.Add<CreateFieldIndexCollection, PointsOperationResponse>(binder, Service, nameof(CreateFieldIndex));
        RpcMethod.Add<DeleteFieldIndexCollection, PointsOperationResponse>(binder, Service, nameof(DeleteFieldIndex));
        RpcMethod.Add<ScrollPoints, ScrollResponse>(binder, Service, nameof(Scroll));
        RpcMethod.Add<CountPoints, CountResponse>(binder, Service, nameof(Count));
        RpcMethod.Add<QueryPoints, QueryResponse>(binder, Service, nameof(Query));
        RpcMethod.Add<QueryBatchPoints, QueryBatchResponse>(binder, Service, nameof(QueryBatch));
    }
}
