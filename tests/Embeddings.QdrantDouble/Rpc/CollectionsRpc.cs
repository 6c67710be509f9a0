using Grpc.Core;
using Qdrant.Client.Grpc;

namespace Embeddings.QdrantDouble.Rpc;

/// <summary>The service qdrant.Collections, as far as the double serves it.</summary>
[BindServiceMethod(typeof(CollectionsRpc), nameof(Bind))]
public abstract class CollectionsRpc
{
    private const string Service = "qdrant.Collections";

    public abstract Task<GetCollectionInfoResponse> Get(GetCollectionInfoRequest request, ServerCallContext context);

    public abstract Task<ListCollectionsResponse> List(ListCollectionsRequest request, ServerCallContext context);

    public abstract Task<CollectionOperationResponse> Create(CreateCollection request, ServerCallContext context);

    public abstract Task<CollectionOperationResponse> Update(UpdateCollection request, ServerCallContext context);

    public abstract Task<CollectionOperationResponse> Delete(DeleteCollection request, ServerCallContext context);

    public abstract Task<CollectionExistsResponse> CollectionExists(CollectionExistsRequest request, ServerCallContext context);

    public static void Bind(ServiceBinderBase binder, CollectionsRpc? service)
    {
        ArgumentNullException.ThrowIfNull(binder);
        // The binder takes the handlers from the service's type, by the methods' names; without a service it gets the names alone.
        binder.AddMethod(RpcMethod.Unary<GetCollectionInfoRequest, GetCollectionInfoResponse>(Service, nameof(Get)), service is null ? null! : service.Get);
        binder.AddMethod(RpcMethod.Unary<ListCollectionsRequest, ListCollectionsResponse>(Service, nameof(List)), service is null ? null! : service.List);
        binder.AddMethod(RpcMethod.Unary<CreateCollection, CollectionOperationResponse>(Service, nameof(Create)), service is null ? null! : service.Create);
        binder.AddMethod(RpcMethod.Unary<UpdateCollection, CollectionOperationResponse>(Service, nameof(Update)), service is null ? null! : service.Update);
        binder.AddMethod(RpcMethod.Unary<DeleteCollection, CollectionOperationResponse>(Service, nameof(Delete)), service is null ? null! : service.Delete);
        binder.AddMethod(RpcMethod.Unary<CollectionExistsRequest, CollectionExistsResponse>(Service, nameof(CollectionExists)), service is null ? null! : service.CollectionExists);
    }
}
