using System.Collections.Concurrent;
using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant;

/// <summary>
/// Deletes points that have expired. Before the first time, the fields get indexes: without them each sweep would read the
/// payload of every point.
/// </summary>
internal sealed class QdrantRetention(QdrantCalls calls, QdrantDeletes deletes, TimeProvider time)
{
    // Only of existing collections, so their number is limited.
    private readonly ConcurrentDictionary<(string Collection, string Key), bool> _indexed = new();

    public async Task<long> DeleteAsync(
        CollectionState state,
        DateTimeOffset now,
        DateTimeOffset? storedBefore,
        int limit,
        CancellationToken cancellationToken)
    {
        var name = state.Info.Name;
        await EnsureIndexAsync(name, PayloadKeys.ExpiresAt, cancellationToken);
        var removed = await deletes.DeleteExpiredAsync(state, PayloadKeys.ExpiresAt, now, limit, cancellationToken);
        if (storedBefore is { } before)
        {
            await EnsureStoredAtAsync(state, cancellationToken);
            removed += await deletes.DeleteExpiredAsync(
                state, PayloadKeys.StoredAt, before, limit - removed, cancellationToken);
        }
        return removed;
    }

    // Points of an earlier version have no time of storing: they count as stored now.
    private async Task EnsureStoredAtAsync(CollectionState state, CancellationToken cancellationToken)
    {
        var name = state.Info.Name;
        if (_indexed.ContainsKey((name, PayloadKeys.StoredAt)))
        {
            return;
        }
        await EnsureIndexAsync(name, PayloadKeys.StoredAt, cancellationToken);
        _indexed.TryRemove((name, PayloadKeys.StoredAt), out _);
        var filter = new Filter { Must = { Conditions.IsEmpty(PayloadKeys.StoredAt) } };
        if (state.ReservedIds.Length > 0)
        {
            filter.MustNot.Add(Conditions.HasId(state.ReservedIds.ToArray()));
        }
        var set = new PointsUpdateOperation
        {
            SetPayload = new()
            {
                PointsSelector = new() { Filter = filter },
                Payload = { [PayloadKeys.StoredAt] = time.GetUtcNow().ToUnixTimeMilliseconds() },
            },
        };
        await calls.UpdateAsync(name, [set], cancellationToken);
        _indexed[(name, PayloadKeys.StoredAt)] = true;
    }

    /// <summary>Creates the index of a time if it does not exist.</summary>
    public async Task EnsureIndexAsync(string collection, string key, CancellationToken cancellationToken)
    {
        if (_indexed.ContainsKey((collection, key)))
        {
            return;
        }
        // It is no error if the index exists.
        var create = new CreateFieldIndexCollection
        {
            CollectionName = collection,
            FieldName = key,
            FieldType = FieldType.Integer,
            Wait = true,
        };
        await calls.RunAsync(
            QdrantCallKind.Manage, collection, (client, call) => client.Points.CreateFieldIndexAsync(create, call), cancellationToken);
        _indexed[(collection, key)] = true;
    }
}
