using Embeddings.QdrantDouble.Rpc;
using Embeddings.QdrantDouble.State;
using Grpc.Core;
using Qdrant.Client.Grpc;
using Collection = Embeddings.QdrantDouble.State.Collection;

namespace Embeddings.QdrantDouble.Services;

internal sealed class CollectionsApi(Database database) : CollectionsRpc
{
    public override Task<GetCollectionInfoResponse> Get(GetCollectionInfoRequest request, ServerCallContext context)
    {
        var collection = database.Require(request.CollectionName);
        return Task.FromResult(new GetCollectionInfoResponse { Result = Describe(collection) });
    }

    public override Task<ListCollectionsResponse> List(ListCollectionsRequest request, ServerCallContext context) =>
        Task.FromResult(new ListCollectionsResponse { Collections = { database.Names.Select(name => new CollectionDescription { Name = name }) } });

    public override Task<CollectionOperationResponse> Create(CreateCollection request, ServerCallContext context)
    {
        if (request.CollectionName.Length is 0 or > 255)
        {
            throw Errors.Validation("collection_name", $"\"{request.CollectionName}\"", "from 1 to 255 characters");
        }
        if (request.VectorsConfig?.Params is { Size: 0 or > 65_536 } vectors)
        {
            throw Errors.Validation("vectors_config.config.size", $"{vectors.Size}", "from 1 to 65536");
        }
        database.Create(request);
        return Done(true);
    }

    public override Task<CollectionOperationResponse> Update(UpdateCollection request, ServerCallContext context)
    {
        database.Update(request);
        return Done(true);
    }

    public override Task<CollectionOperationResponse> Delete(DeleteCollection request, ServerCallContext context) => Done(database.Drop(request));

    public override Task<CollectionExistsResponse> CollectionExists(CollectionExistsRequest request, ServerCallContext context) =>
        Task.FromResult(new CollectionExistsResponse { Result = new() { Exists = database.Find(request.CollectionName) is not null } });

    public override Task<ListAliasesResponse> ListAliases(ListAliasesRequest request, ServerCallContext context) =>
        Task.FromResult(new ListAliasesResponse
        {
            Aliases =
            {
                database.Aliases.Select(alias => new AliasDescription { AliasName = alias.Key, CollectionName = alias.Value }),
            },
        });

    public override Task<CollectionOperationResponse> UpdateAliases(ChangeAliases request, ServerCallContext context)
    {
        database.Update(request);
        return Done(true);
    }

    private static Task<CollectionOperationResponse> Done(bool result) => Task.FromResult(new CollectionOperationResponse { Result = result });

    private static CollectionInfo Describe(Collection collection)
    {
        var config = collection.Config;
        var info = new CollectionInfo
        {
            Status = CollectionStatus.Green,
            OptimizerStatus = new() { Ok = true },
            SegmentsCount = 1,
            PointsCount = (ulong)collection.Count,
            Config = new()
            {
                Params = new()
                {
                    ShardNumber = Math.Max(1, config.ShardNumber),
                    ReplicationFactor = config.ReplicationFactor,
                    WriteConsistencyFactor = config.WriteConsistencyFactor,
                    Payload = config.Payload,
                    VectorsConfig = config.VectorsConfig,
                },
                HnswConfig = config.HnswConfig,
                QuantizationConfig = config.QuantizationConfig,
                StrictModeConfig = config.StrictModeConfig,
            },
        };
        lock (config)
        {
            info.Config.Metadata.Add(config.Metadata);
        }
        foreach (var (field, type) in collection.Indexes)
        {
            info.PayloadSchema[field] = new() { DataType = Enum.Parse<PayloadSchemaType>($"{type}"), Points = (ulong)collection.Count };
        }
        return info;
    }
}
