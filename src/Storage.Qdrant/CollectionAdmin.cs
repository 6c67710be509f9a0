using Embeddings.Primitives;
using Grpc.Core;
using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant;

/// <summary>Reads, makes and marks collections.</summary>
internal sealed class CollectionAdmin(QdrantCalls calls, QdrantConnection connection, QdrantCollectionOptions options, TimeProvider time, ILogger log)
{
    /// <summary>The collection as Qdrant has it now, or null; FAILED_PRECONDITION where it is not one that this store can use.</summary>
    public async Task<CollectionState?> ReadAsync(string name, CancellationToken cancellationToken)
    {
        var info = await GetAsync(name, cancellationToken);
        if (info is null)
        {
            return null;
        }
        if (CollectionPlan.WhyUnusable(info.Config.Params) is { } why)
        {
            throw new Fault(FaultKind.FailedPrecondition, Reasons.CollectionModelMismatch, $"collection '{name}' is not one this store can use: {why}");
        }
        var dimension = (int)info.Config.Params.VectorsConfig.Params.Size;
        var hasMetadata = info.Config.Metadata.ContainsKey(PayloadKeys.Layout);
        var stamp = hasMetadata ? CollectionPlan.Stamp(info.Config.Metadata) : await ReadReservedAsync(name, cancellationToken);
        var count = (long)info.PointsCount - (hasMetadata || stamp is null ? 0 : 1);
        return new(new(name, dimension, count, stamp), hasMetadata, time.GetTimestamp());
    }

    /// <summary>Makes the collection and its indexes; that another was faster is no error.</summary>
    public async Task CreateAsync(CollectionSpec spec, CancellationToken cancellationToken)
    {
        var made = await calls.RunAsync(
            QdrantCallKind.Manage, spec.Name, (client, call) => TryCreateAsync(client, CollectionPlan.Create(spec, options), call), cancellationToken);
        if (made)
        {
            log.CollectionMade(spec.Name, spec.Dimension, options.Shards, options.Replicas);
            await CheckPlacementAsync(spec.Name, cancellationToken);
        }
        // By whoever comes first, and again by the next where the first one died on the way; before any point, so that the graph is built for filters.
        foreach (var index in CollectionPlan.Indexes(spec.Name))
        {
            await calls.RunAsync(
                QdrantCallKind.Manage, spec.Name, async (client, call) => await client.Points.CreateFieldIndexAsync(index, call), cancellationToken);
        }
    }

    // Qdrant before 1.19 skips the field without an error, so the option would have no effect and no one would notice.
    private async Task CheckPlacementAsync(string name, CancellationToken cancellationToken)
    {
        var asked = options.OnDiskVectors || !options.OnDiskPayload || options.QuantizeInt8;
        if (asked && await GetAsync(name, cancellationToken) is { } info && CollectionPlan.IgnoresPlacement(info.Config.Params))
        {
            log.PlacementIgnored(connection.Address.Authority, name);
        }
    }

    /// <summary>Keeps who fills the collection: in its metadata, or in a reserved point where Qdrant (before 1.16) has none.</summary>
    public async Task SetModelAsync(CollectionState state, ModelStamp model, CancellationToken cancellationToken)
    {
        var name = state.Info.Name;
        var update = new UpdateCollection { CollectionName = name };
        CollectionPlan.Mark(update.Metadata, model);
        await calls.RunAsync(QdrantCallKind.Manage, name, async (client, call) => await client.Collections.UpdateAsync(update, call), cancellationToken);
        var info = await GetAsync(name, cancellationToken);
        if (info is null || info.Config.Metadata.ContainsKey(PayloadKeys.Layout))
        {
            return;
        }
        log.NoMetadata(connection.Address.Authority, name);
        var point = CollectionPlan.ReservedPoint(state.Info.Dimension, model);
        var upsert = new UpsertPoints { CollectionName = name, Wait = true, Points = { point } };
        await calls.RunAsync(QdrantCallKind.Write, name, async (client, call) => await client.Points.UpsertAsync(upsert, call), cancellationToken);
    }

    /// <summary>Removes a collection that was there a moment ago: that it is gone by now, perhaps by a try whose answer was lost, is no error.</summary>
    public Task DropAsync(string name, CancellationToken cancellationToken)
    {
        var drop = new DeleteCollection { CollectionName = name };
        return calls.RunAsync(QdrantCallKind.Manage, name, async (client, call) => await client.Collections.DeleteAsync(drop, call), cancellationToken);
    }

    public async Task<IReadOnlyList<string>> NamesAsync(CancellationToken cancellationToken)
    {
        var reply = await calls.RunAsync(QdrantCallKind.Read, "", async (client, call) => await client.Collections.ListAsync(new(), call), cancellationToken);
        return [.. reply.Collections.Select(collection => collection.Name)];
    }

    private async Task<global::Qdrant.Client.Grpc.CollectionInfo?> GetAsync(string name, CancellationToken cancellationToken)
    {
        try
        {
            var reply = await calls.RunAsync(
                QdrantCallKind.Read, name, async (client, call) => await client.Collections.GetAsync(new() { CollectionName = name }, call), cancellationToken);
            return reply.Result;
        }
        catch (Fault fault) when (fault.Kind == FaultKind.NotFound)
        {
            return null;
        }
    }

    private async Task<ModelStamp?> ReadReservedAsync(string name, CancellationToken cancellationToken)
    {
        var get = new GetPoints { CollectionName = name, Ids = { PointIds.Reserved }, WithPayload = true };
        var reply = await calls.RunAsync(QdrantCallKind.Read, name, async (client, call) => await client.Points.GetAsync(get, call), cancellationToken);
        return reply.Result.Count == 0 ? null : CollectionPlan.Stamp(reply.Result[0].Payload);
    }

    private static async Task<bool> TryCreateAsync(QdrantGrpcClient client, CreateCollection create, CallOptions call)
    {
        try
        {
            return (await client.Collections.CreateAsync(create, call)).Result;
        }
        // Before 1.10 Qdrant says INVALID_ARGUMENT.
        catch (RpcException e) when (e.StatusCode == StatusCode.AlreadyExists
            || (e.StatusCode == StatusCode.InvalidArgument && e.Status.Detail.Contains("already exists", StringComparison.Ordinal)))
        {
            return false;
        }
    }
}
