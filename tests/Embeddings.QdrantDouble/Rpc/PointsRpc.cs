using Grpc.Core;
using Qdrant.Client.Grpc;

namespace Embeddings.QdrantDouble.Rpc;

/// <summary>The service qdrant.Points, as far as the double serves it.</summary>
[BindServiceMethod(typeof(PointsRpc), nameof(Bind))]
public abstract class PointsRpc
{
    private const string Service = "qdrant.Points";

    public abstract Task<PointsOperationResponse> Upsert(UpsertPoints request, ServerCallContext context);

    public abstract Task<PointsOperationResponse> Delete(DeletePoints request, ServerCallContext context);

    public abstract Task<GetResponse> Get(GetPoints request, ServerCallContext context);

    public abstract Task<PointsOperationResponse> CreateFieldIndex(CreateFieldIndexCollection request, ServerCallContext context);

    public abstract Task<ScrollResponse> Scroll(ScrollPoints request, ServerCallContext context);

    public abstract Task<CountResponse> Count(CountPoints request, ServerCallContext context);

    public abstract Task<QueryResponse> Query(QueryPoints request, ServerCallContext context);

    public abstract Task<QueryBatchResponse> QueryBatch(QueryBatchPoints request, ServerCallContext context);

    public static void Bind(ServiceBinderBase binder, PointsRpc? service)
    {
        ArgumentNullException.ThrowIfNull(binder);
        binder.AddMethod(RpcMethod.Unary<UpsertPoints, PointsOperationResponse>(Service, nameof(Upsert)), service is null ? null! : service.Upsert);
        binder.AddMethod(RpcMethod.Unary<DeletePoints, PointsOperationResponse>(Service, nameof(Delete)), service is null ? null! : service.Delete);
        binder.AddMethod(RpcMethod.Unary<GetPoints, GetResponse>(Service, nameof(Get)), service is null ? null! : service.Get);
        binder.AddMethod(RpcMethod.Unary<CreateFieldIndexCollection, PointsOperationResponse>(Service, nameof(CreateFieldIndex)), service is null ? null! : service.CreateFieldIndex);
        binder.AddMethod(RpcMethod.Unary<ScrollPoints, ScrollResponse>(Service, nameof(Scroll)), service is null ? null! : service.Scroll);
        binder.AddMethod(RpcMethod.Unary<CountPoints, CountResponse>(Service, nameof(Count)), service is null ? null! : service.Count);
        binder.AddMethod(RpcMethod.Unary<QueryPoints, QueryResponse>(Service, nameof(Query)), service is null ? null! : service.Query);
        binder.AddMethod(RpcMethod.Unary<QueryBatchPoints, QueryBatchResponse>(Service, nameof(QueryBatch)), service is null ? null! : service.QueryBatch);
    }
}
