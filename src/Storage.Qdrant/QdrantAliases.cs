using System.Collections.Frozen;
using Embeddings.Primitives;
using Grpc.Core;
using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant;

/// <summary>
/// Aliases, which are Qdrant's own. Other servers and programs may change them at any time: the list is read again when it is
/// half a second old. If Qdrant does not answer, the last known aliases apply until it does, so that writes wait for it instead of
/// failing here.
/// </summary>
internal sealed class QdrantAliases(QdrantCalls calls, CollectionAdmin admin, TimeProvider time) : IDisposable
{
    private static readonly TimeSpan MaxAge = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan RefreshTimeout = TimeSpan.FromSeconds(1);

    private readonly SemaphoreSlim _turn = new(1);
    private readonly Lock _writing = new();
    private Snapshot? _known;

    /// <summary>Returns the collections by their aliases.</summary>
    public ValueTask<IReadOnlyDictionary<string, string>> GetAsync(CancellationToken cancellationToken) =>
        Fresh() is { } aliases ? new(aliases) : new(RefreshAsync(cancellationToken));

    /// <summary>Makes the next call read the list.</summary>
    public void Forget()
    {
        lock (_writing)
        {
            if (_known is { } known)
            {
                _known = known with { CheckedAt = null };
            }
        }
    }

    public async Task UpdateAsync(
        IReadOnlyList<CollectionAlias> set, IReadOnlyList<string> delete, CancellationToken cancellationToken)
    {
        var collections = (await admin.NamesAsync(cancellationToken)).ToHashSet(StringComparer.Ordinal);
        var existing = await ReadAsync(QdrantCallKind.Manage, cancellationToken);
        if (delete.FirstOrDefault(alias => !existing.ContainsKey(alias)) is { } missing)
        {
            throw AliasFaults.NotFound(missing);
        }
        foreach (var (alias, collection) in set)
        {
            if (!collections.Contains(collection))
            {
                throw CollectionFaults.NotFound(collection);
            }
            if (collections.Contains(alias))
            {
                throw AliasFaults.IsCollection(alias);
            }
        }
        var change = new ChangeAliases
        {
            Actions =
            {
                delete.Concat(set.Select(alias => alias.Alias).Where(existing.ContainsKey))
                    .Select(alias => new AliasOperations { DeleteAlias = new() { AliasName = alias } }),
                set.Select(alias => new AliasOperations
                {
                    CreateAlias = new() { AliasName = alias.Alias, CollectionName = alias.Collection },
                }),
            },
        };
        try
        {
            await calls.RunAsync(
                QdrantCallKind.Manage,
                set.Count > 0 ? set[0].Collection : "",
                (client, call) => client.Collections.UpdateAliasesAsync(change, call),
                cancellationToken);
        }
        // Created since it was looked for.
        catch (Fault fault) when (set.Count > 0 && fault.InnerException is RpcException e
            && e.Status.Detail.Contains("already exists", StringComparison.OrdinalIgnoreCase))
        {
            throw AliasFaults.IsCollection(set[0].Alias);
        }
        finally
        {
            Forget();
        }
        await ReadAsync(QdrantCallKind.Manage, cancellationToken);
    }

    public void Dispose() => _turn.Dispose();

    private IReadOnlyDictionary<string, string>? Fresh() =>
        Volatile.Read(ref _known) is { CheckedAt: { } at } known && time.GetElapsedTime(at) < MaxAge ? known.Aliases : null;

    private async Task<IReadOnlyDictionary<string, string>> RefreshAsync(CancellationToken cancellationToken)
    {
        if (Volatile.Read(ref _known) is not { } known)
        {
            return await ReadAsync(QdrantCallKind.Read, cancellationToken);
        }
        await _turn.WaitAsync(cancellationToken);
        try
        {
            if (Fresh() is { } fresh)
            {
                return fresh;
            }
            using var timeout = new CancellationTokenSource(RefreshTimeout, time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
            try
            {
                return await ReadAsync(QdrantCallKind.Read, either.Token);
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested
                && e is OperationCanceledException or Fault { Kind: FaultKind.Unavailable or FaultKind.DeadlineExceeded })
            {
                // Not at once again, so that streams do not wait for each item.
                return Keep(known with { CheckedAt = time.GetTimestamp() }).Aliases;
            }
        }
        finally
        {
            _turn.Release();
        }
    }

    private async Task<IReadOnlyDictionary<string, string>> ReadAsync(QdrantCallKind kind, CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        var reply = await calls.RunAsync(
            kind, "", (client, call) => client.Collections.ListAliasesAsync(new(), call), cancellationToken);
        var aliases = reply.Aliases
            .DistinctBy(alias => alias.AliasName)
            .ToFrozenDictionary(alias => alias.AliasName, alias => alias.CollectionName, StringComparer.Ordinal);
        return Keep(new(aliases, started, started)).Aliases;
    }

    // A list that was requested earlier than the known one may be older, whenever it arrives.
    private Snapshot Keep(Snapshot snapshot)
    {
        lock (_writing)
        {
            if (_known is null || snapshot.RequestedAt >= _known.RequestedAt)
            {
                Volatile.Write(ref _known, snapshot);
            }
            return _known!;
        }
    }

    /// <param name="Aliases">The collections by their aliases.</param>
    /// <param name="RequestedAt">Timestamp of the request for the list.</param>
    /// <param name="CheckedAt">Timestamp from which the list counts as new; null if it must be read again.</param>
    private sealed record Snapshot(IReadOnlyDictionary<string, string> Aliases, long RequestedAt, long? CheckedAt);
}
