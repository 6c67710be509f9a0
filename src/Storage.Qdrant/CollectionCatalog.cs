using System.Collections.Concurrent;
using Embeddings.Primitives;

namespace Embeddings.Storage.Qdrant;

/// <summary>
/// The collections, remembered for a while so that a point costs no question. Another server may make, fill or drop them at any time: what is remembered is
/// asked again when it is old, and forgotten when Qdrant says it is gone.
/// </summary>
internal sealed class CollectionCatalog(CollectionAdmin admin, QdrantStoreOptions options, TimeProvider time) : IDisposable
{
    private readonly ConcurrentDictionary<string, CollectionState> _known = new(StringComparer.Ordinal);

    // One at a time for a name, so that a thousand items that meet a new collection make it once. Striped: names are the user's, and without end.
    private readonly SemaphoreSlim[] _turns = [.. Enumerable.Range(0, 16).Select(_ => new SemaphoreSlim(1))];

    /// <summary>What is remembered, however old, or null. For those who ensured it just before.</summary>
    public CollectionState? Remembered(string name) => _known.GetValueOrDefault(name);

    public void Forget(string name) => _known.TryRemove(name, out _);

    /// <summary>The collection, or null.</summary>
    public async ValueTask<CollectionState?> FindAsync(string name, CancellationToken cancellationToken)
    {
        if (Fresh(name) is { } fresh)
        {
            return fresh;
        }
        var turn = TurnOf(name);
        await turn.WaitAsync(cancellationToken);
        try
        {
            return Fresh(name) ?? Keep(name, await admin.ReadAsync(name, cancellationToken));
        }
        finally
        {
            turn.Release();
        }
    }

    /// <summary>The collection; NOT_FOUND where there is none.</summary>
    public async ValueTask<CollectionState> RequireAsync(string name, CancellationToken cancellationToken) =>
        Fresh(name) ?? await FindAsync(name, cancellationToken) ?? throw CollectionFaults.NotFound(name);

    public ValueTask EnsureAsync(CollectionSpec spec, CancellationToken cancellationToken) =>
        Fresh(spec.Name) is { } state && !Adopts(state, spec) ? ValueTask.CompletedTask : new(EnsureSlowlyAsync(spec, cancellationToken));

    public void Dispose()
    {
        foreach (var turn in _turns)
        {
            turn.Dispose();
        }
    }

    private async Task EnsureSlowlyAsync(CollectionSpec spec, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(spec.Dimension);
        var turn = TurnOf(spec.Name);
        await turn.WaitAsync(cancellationToken);
        try
        {
            var state = Fresh(spec.Name) ?? Keep(spec.Name, await admin.ReadAsync(spec.Name, cancellationToken));
            if (state is null)
            {
                await admin.CreateAsync(spec, cancellationToken);
                // Read back, not assumed: another server may have been faster, with another model.
                state = Keep(spec.Name, await admin.ReadAsync(spec.Name, cancellationToken)) ?? throw CollectionFaults.NotFound(spec.Name);
            }
            if (Adopts(state, spec))
            {
                await admin.SetModelAsync(state, spec.Model!, cancellationToken);
                state = Keep(spec.Name, await admin.ReadAsync(spec.Name, cancellationToken)) ?? throw CollectionFaults.NotFound(spec.Name);
                if (Adopts(state, spec))
                {
                    throw new Fault(FaultKind.Internal, Reasons.Internal, $"Qdrant did not keep the model of collection '{spec.Name}'");
                }
            }
        }
        finally
        {
            turn.Release();
        }
    }

    private static bool Adopts(CollectionState state, CollectionSpec spec) =>
        CollectionRules.Adopts(new(state.Info.Name, state.Info.Dimension, state.Info.Model), spec);

    private CollectionState? Fresh(string name) =>
        _known.TryGetValue(name, out var state) && time.GetElapsedTime(state.ReadAt).TotalSeconds < options.CollectionCacheSeconds ? state : null;

    private CollectionState? Keep(string name, CollectionState? state)
    {
        if (state is null)
        {
            Forget(name);
        }
        else
        {
            _known[name] = state;
        }
        return state;
    }

    private SemaphoreSlim TurnOf(string name) => _turns[(uint)name.GetHashCode(StringComparison.Ordinal) % _turns.Length];
}
