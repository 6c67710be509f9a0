using Embeddings.Primitives;
using Grpc.Core;
using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant;

/// <summary>Reads, creates, updates and drops collections.</summary>
internal sealed class CollectionAdmin(
    QdrantCalls calls, QdrantConnection connection, QdrantCollectionOptions options, TimeProvider time, ILogger log)
{
    /// <summary>
    /// Reads the collection from Qdrant; null if it does not exist. FAILED_PRECONDITION if this store cannot use it.
    /// </summary>
    public async Task<CollectionState?> ReadAsync(string name, CancellationToken cancellationToken)
    {
        var info = await GetAsync(name, cancellationToken);
        if (info is null)
        {
            return null;
        }
        if (CollectionPlan.WhyUnusable(info.Config.Params) is { } why)
        {
            throw new Fault(
                FaultKind.FailedPrecondition,
                Reasons.CollectionModelMismatch,
                $"Collection '{name}' was not created by this store and cannot be used: {why} Use another collection.")
                .With(FaultKeys.Collection, name);
        }
        var dimension = (int)info.Config.Params.VectorsConfig.Params.Size;
        var hasMetadata = info.Config.Metadata.ContainsKey(PayloadKeys.Layout);
        var stamp = hasMetadata
            ? CollectionPlan.Stamp(info.Config.Metadata)
            : await ReadReservedAsync(name, cancellationToken);
        var hasHolds = info.Config.Metadata.TryGetValue(PayloadKeys.Holds, out var holds) && holds.BoolValue;
        var count = (long)info.PointsCount - (hasMetadata || stamp is null ? 0 : 1);
        return new(
            new(name, dimension, count, stamp)
            {
                Settings = CollectionPlan.SettingsOf(info.Config.Metadata),
                IndexedAttributes = QdrantAttributeIndexes.Read(info.Config.Metadata),
            },
            hasMetadata,
            time.GetTimestamp(),
            CollectionLimits.Of(info.Config.StrictModeConfig),
            CollectionPlan.IndexesOf(info.PayloadSchema),
            hasHolds);
    }

    /// <summary>Creates the collection and its indexes. It is no error if another server creates it first.</summary>
    public Task CreateAsync(CollectionSpec spec, CancellationToken cancellationToken) =>
        CreateAsync(spec, CollectionSettings.None, cancellationToken);

    /// <summary>Creates the collection with its settings and its indexes; false if it exists already.</summary>
    public async Task<bool> CreateAsync(CollectionSpec spec, CollectionSettings settings, CancellationToken cancellationToken)
    {
        var create = CollectionPlan.Create(spec, options);
        CollectionPlan.Mark(create.Metadata, settings);
        var creation = Guid.NewGuid().ToString("N");
        create.Metadata[PayloadKeys.Creation] = creation;
        var created = await calls.RunAsync(
            QdrantCallKind.Manage, spec.Name, (node, call) => TryCreateAsync(node.Client, create, call), cancellationToken);
        // An attempt whose response was lost may have created it.
        created = created
            || (await GetAsync(spec.Name, cancellationToken))?.Config.Metadata.GetValueOrDefault(PayloadKeys.Creation)?.StringValue
                == creation;
        if (created)
        {
            log.CollectionCreated(spec.Name, spec.Dimension, options.Shards, options.Replicas);
            await CheckPlacementAsync(spec.Name, cancellationToken);
        }
        // Every server creates them, in case the first one failed in between; before any point, so that the graph
        // supports filters.
        foreach (var index in CollectionPlan.Indexes(spec.Name))
        {
            await calls.RunAsync(
                QdrantCallKind.Manage,
                spec.Name,
                (client, call) => client.Points.CreateFieldIndexAsync(index, call),
                cancellationToken);
        }
        return created;
    }

    /// <summary>Writes a value of the metadata; the others stay as they are.</summary>
    public Task SetMetadataAsync(string name, string key, Value value, CancellationToken cancellationToken)
    {
        var update = new UpdateCollection { CollectionName = name };
        update.Metadata[key] = value;
        return calls.RunAsync(
            QdrantCallKind.Manage, name, (client, call) => client.Collections.UpdateAsync(update, call), cancellationToken);
    }

    // Qdrant before 1.19 ignores the field without an error, so that the option would silently have no effect.
    private async Task CheckPlacementAsync(string name, CancellationToken cancellationToken)
    {
        var isRequested = options.OnDiskVectors || !options.OnDiskPayload || options.QuantizeInt8;
        if (isRequested
            && await GetAsync(name, cancellationToken) is { } info
            && CollectionPlan.IgnoresPlacement(info.Config.Params))
        {
            log.PlacementIgnored(connection.Current.Address.Authority, name);
        }
    }

    /// <summary>
    /// Records the model of the collection: in its metadata, or in a reserved point if Qdrant (before 1.16) has no
    /// metadata.
    /// </summary>
    public async Task SetModelAsync(CollectionState state, ModelStamp model, CancellationToken cancellationToken)
    {
        var name = state.Info.Name;
        var update = new UpdateCollection { CollectionName = name };
        CollectionPlan.Mark(update.Metadata, model);
        await calls.RunAsync(
            QdrantCallKind.Manage, name, (client, call) => client.Collections.UpdateAsync(update, call), cancellationToken);
        var info = await GetAsync(name, cancellationToken);
        if (info is null || info.Config.Metadata.ContainsKey(PayloadKeys.Layout))
        {
            return;
        }
        log.NoMetadata(connection.Current.Address.Authority, name);
        var point = CollectionPlan.ReservedPoint(state.Info.Dimension, model);
        var upsert = new UpsertPoints { CollectionName = name, Wait = true, Points = { point } };
        await calls.RunAsync(
            QdrantCallKind.Write, name, (client, call) => client.Points.UpsertAsync(upsert, call), cancellationToken);
    }

    /// <summary>Records in the metadata that the collection has points on legal hold.</summary>
    public Task MarkHoldsAsync(string name, CancellationToken cancellationToken) =>
        SetMetadataAsync(name, PayloadKeys.Holds, true, cancellationToken);

    /// <summary>
    /// Drops a collection. It is no error if it no longer exists, for example after an attempt whose response was lost.
    /// </summary>
    public Task DropAsync(string name, CancellationToken cancellationToken)
    {
        var drop = new DeleteCollection { CollectionName = name };
        return calls.RunAsync(
            QdrantCallKind.Manage, name, (client, call) => client.Collections.DeleteAsync(drop, call), cancellationToken);
    }

    public async Task<IReadOnlyList<string>> NamesAsync(CancellationToken cancellationToken)
    {
        var reply = await calls.RunAsync(
            QdrantCallKind.Read, "", (client, call) => client.Collections.ListAsync(new(), call), cancellationToken);
        return [.. reply.Collections.Select(collection => collection.Name)];
    }

    private async Task<global::Qdrant.Client.Grpc.CollectionInfo?> GetAsync(
        string name, CancellationToken cancellationToken)
    {
        try
        {
            var reply = await calls.RunAsync(
                QdrantCallKind.Read,
                name,
                (client, call) => client.Collections.GetAsync(new() { CollectionName = name }, call),
                cancellationToken);
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
        var reply = await calls.RunAsync(
            QdrantCallKind.Read, name, (client, call) => client.Points.GetAsync(get, call), cancellationToken);
        return reply.Result.Count == 0 ? null : CollectionPlan.Stamp(reply.Result[0].Payload);
    }

    private static async Task<bool> TryCreateAsync(QdrantGrpcClient client, CreateCollection create, CallOptions call)
    {
        try
        {
            return (await client.Collections.CreateAsync(create, call)).Result;
        }
        // Qdrant before 1.10 returns INVALID_ARGUMENT.
        catch (RpcException e) when (e.StatusCode == StatusCode.AlreadyExists
            || (e.StatusCode == StatusCode.InvalidArgument
                && e.Status.Detail.Contains("already exists", StringComparison.Ordinal)))
        {
            return false;
        }
    }
}
