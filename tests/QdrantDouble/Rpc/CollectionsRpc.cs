using Grpc.Core;
using Qdrant.Client.Grpc;

namespace Embeddings.QdrantDouble.Rpc;

/// <summary>The service qdrant.Collections, with the methods that the double implements.</summary>
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

    public abstract Task<ListAliasesResponse> ListAliases(ListAliasesRequest request, ServerCallContext context);

    public abstract Task<CollectionOperationResponse> UpdateAliases(ChangeAliases request, ServerCallContext context);

    public static void Bind(ServiceBinderBase binder, CollectionsRpc? service)
    {
        RpcMethod.Add<GetCollectionInfoRequest, GetCollectionInfoResponse>(binder, Service, nameof(Get));
        RpcMethod.Add<ListCollectionsRequest, ListCollectionsResponse>(binder, Service, nameof(List));
        RpcMethod.Add<CreateCollection, CollectionOperationResponse>(binder, Service, nameof(Create));
        RpcMethod.Add<UpdateCollection, CollectionOperationResponse>(binder, Service, nameof(Update));
        RpcMethod.Add<DeleteCollection, CollectionOperationResponse>(binder, Service, nameof(Delete));
        RpcMethod.Add<ListAliasesRequest, ListAliasesResponse>(binder, Service, nameof(ListAliases));
        RpcMethod.Add<ChangeAliases, CollectionOperationResponse>(binder, Service, nameof(UpdateAliases));
        RpcMethod.Add<CollectionExistsRequest, CollectionExistsResponse>(binder, Service, nameof(CollectionExists));
    }
}
