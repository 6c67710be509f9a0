using System.Collections.Concurrent;
using Embeddings.Primitives;
using FieldType = Qdrant.Client.Grpc.FieldType;

namespace Embeddings.Storage.Qdrant;

/// <summary>
/// A cache of the collections, so that writing a point needs no lookup. Other servers may create, fill or drop
/// collections at any time: entries expire, and are removed when Qdrant reports that a collection does not exist.
/// </summary>
internal sealed class CollectionCatalog(CollectionAdmin admin, QdrantStoreOptions options, TimeProvider time) : IDisposable
{
    private readonly ConcurrentDictionary<string, CollectionState> _cached = new(StringComparer.Ordinal);

    // One lookup at a time per name, so that many concurrent items create a new collection only once. Striped, because
    // the number of names is unlimited.
    private readonly SemaphoreSlim[] _locks = [.. Enumerable.Range(0, 16).Select(_ => new SemaphoreSlim(1))];

    /// <summary>
    /// Returns the cached entry, even if it has expired, or null. For callers that have just ensured the collection.
    /// </summary>
    public CollectionState? Cached(string name) => _cached.GetValueOrDefault(name);

    public void Forget(string name) => _cached.TryRemove(name, out _);

    /// <summary>Returns the collection, or null.</summary>
    public async ValueTask<CollectionState?> FindAsync(string name, CancellationToken cancellationToken)
    {
        if (Fresh(name) is { } fresh)
        {
            return fresh;
        }
        var mutex = LockOf(name);
        await mutex.WaitAsync(cancellationToken);
        try
        {
            return Fresh(name) ?? Keep(name, await admin.ReadAsync(name, cancellationToken));
        }
        finally
        {
            mutex.Release();
        }
    }

    /// <summary>Returns the collection; NOT_FOUND if it does not exist.</summary>
    public async ValueTask<CollectionState> RequireAsync(string name, CancellationToken cancellationToken) =>
        Fresh(name) ?? await FindAsync(name, cancellationToken) ?? throw CollectionFaults.NotFound(name);

    public ValueTask EnsureAsync(CollectionSpec spec, CancellationToken cancellationToken) =>
        Fresh(spec.Name) is { } state && !state.Info.Spec.Adopts(spec)
            ? ValueTask.CompletedTask
            : new(EnsureUncachedAsync(spec, cancellationToken));

    /// <summary>Creates the collection with its settings. ALREADY_EXISTS if it exists.</summary>
    /// <param name="spec">The collection.</param>
    /// <param name="settings">The settings.</param>
    /// <param name="needsMetadata">True to fail if Qdrant is too old for metadata of collections.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    public async Task CreateAsync(
        CollectionSpec spec,
        CollectionSettings settings,
        bool needsMetadata,
        CancellationToken cancellationToken)
    {
        spec.RequireDimension(options.MaxDimension, "Store:Qdrant:MaxDimension", "dimension");
        var mutex = LockOf(spec.Name);
        await mutex.WaitAsync(cancellationToken);
        try
        {
            Forget(spec.Name);
            if (await admin.ReadAsync(spec.Name, cancellationToken) is not null
                || !await admin.CreateAsync(spec, settings, cancellationToken))
            {
                throw CollectionFaults.Exists(spec.Name);
            }
            var state = await ReadAsync(spec.Name, cancellationToken);
            if (!state.HasMetadata && needsMetadata)
            {
                await admin.DropAsync(spec.Name, cancellationToken);
                Forget(spec.Name);
                throw SettingsUnsupported(spec.Name);
            }
            if (state.Info.Spec.Adopts(spec))
            {
                // A Qdrant without metadata.
                await admin.SetModelAsync(state, spec.Model!, cancellationToken);
                await ReadAsync(spec.Name, cancellationToken);
            }
        }
        finally
        {
            mutex.Release();
        }
    }

    /// <summary>Returns the fault for settings in a Qdrant that cannot store them.</summary>
    public static Fault SettingsUnsupported(string name) => new Fault(
        FaultKind.FailedPrecondition,
        Reasons.SettingsUnsupported,
        $"Collection '{name}' cannot have settings: it has no metadata. Use Qdrant 1.16 or newer and copy the collection "
        + "('embeddings store copy').")
        .With(FaultKeys.Collection, name);

    public void Dispose()
    {
        foreach (var mutex in _locks)
        {
            mutex.Dispose();
        }
    }

    private async Task EnsureUncachedAsync(CollectionSpec spec, CancellationToken cancellationToken)
    {
        var mutex = LockOf(spec.Name);
        await mutex.WaitAsync(cancellationToken);
        try
        {
            var state = Fresh(spec.Name) ?? Keep(spec.Name, await admin.ReadAsync(spec.Name, cancellationToken));
            if (state is null)
            {
                spec.RequireDimension(options.MaxDimension, "Store:Qdrant:MaxDimension");
                await admin.CreateAsync(spec, cancellationToken);
                // Read back: another server may have created it first, with another model.
                state = await ReadAsync(spec.Name, cancellationToken);
            }
            if (state.Info.Spec.Adopts(spec))
            {
                await admin.SetModelAsync(state, spec.Model!, cancellationToken);
                state = await ReadAsync(spec.Name, cancellationToken);
                if (state.Info.Spec.Adopts(spec))
                {
                    throw new Fault(
                        FaultKind.Internal,
                        Reasons.Internal,
                        $"Qdrant did not store the model of collection '{spec.Name}'.");
                }
            }
        }
        finally
        {
            mutex.Release();
        }
    }

    private async Task<CollectionState> ReadAsync(string name, CancellationToken cancellationToken) =>
        Keep(name, await admin.ReadAsync(name, cancellationToken)) ?? throw CollectionFaults.NotFound(name);

    private CollectionState? Fresh(string name) =>
        _cached.TryGetValue(name, out var state)
        && time.GetElapsedTime(state.ReadAt).TotalSeconds < options.CollectionCacheSeconds
            ? state
            : null;

    private CollectionState? Keep(string name, CollectionState? state)
    {
        if (state is null)
        {
            Forget(name);
        }
        else
        {
            _cached[name] = state;
        }
        return state;
    }

    private SemaphoreSlim LockOf(string name) => _locks[(uint)name.GetHashCode(StringComparison.Ordinal) % _locks.Length];
}

/// <summary>A cached collection.</summary>
/// <param name="Info">The collection; its count is Qdrant's estimate at the time of reading.</param>
/// <param name="HasMetadata">
/// True if the model is in its metadata; otherwise it is in a reserved point, which is excluded everywhere.
/// </param>
/// <param name="ReadAt">Timestamp of reading.</param>
/// <param name="Limits">The limits of Qdrant's strict mode.</param>
/// <param name="Indexes">
/// The types of its payload indexes by <see cref="FilterIndexes.KeyOf"/>; those created later are added.
/// </param>
/// <param name="HasHolds">True if some of its points are or were on legal hold.</param>
internal sealed record CollectionState(
    CollectionInfo Info,
    bool HasMetadata,
    long ReadAt,
    CollectionLimits Limits,
    ConcurrentDictionary<string, FieldType> Indexes,
    bool HasHolds = false)
{
    /// <summary>The ids of points that are not the user's.</summary>
    public ReadOnlySpan<Guid> ReservedIds => HasMetadata ? [] : new ReadOnlySpan<Guid>(in PointIds.Reserved);
}
