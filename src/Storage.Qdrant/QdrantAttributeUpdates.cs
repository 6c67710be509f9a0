using System.Text.Json.Nodes;
using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant;

/// <summary>
/// Changes attributes of points. Qdrant can neither compare nor compute while it writes, so the points are read first; then
/// only the fields that differ are written, so that a concurrent write keeps its other fields. If there are more points
/// than one reply holds, all are checked before the first is changed.
/// </summary>
internal sealed class QdrantAttributeUpdates(QdrantCalls calls, QdrantReads reads, ReplySize replySize)
{
    public async Task<long> UpdateAsync(
        CollectionState state,
        IReadOnlyList<string> ids,
        Func<StoredPoint, JsonObject?> change,
        CancellationToken cancellationToken)
    {
        string[][] chunks = [.. ids.Chunk(replySize.Points(dimension: 0))];
        if (chunks.Length > 1)
        {
            foreach (var chunk in chunks)
            {
                await ReadAsync(state, chunk, change, cancellationToken);
            }
        }
        var changed = 0L;
        foreach (var chunk in chunks)
        {
            var patches = await ReadAsync(state, chunk, change, cancellationToken);
            await WriteAsync(state.Info.Name, patches, cancellationToken);
            changed += patches.Sum(patch => patch.Ids.Count);
        }
        return changed;
    }

    /// <summary>Changes the points that match, page by page in the order of Qdrant's ids, and returns their number.</summary>
    public async Task<long> UpdateAsync(
        CollectionState state,
        PointFilter filter,
        Func<StoredPoint, JsonObject?> change,
        CancellationToken cancellationToken)
    {
        var matching = QdrantFilters.ToFilter(filter, state.ReservedIds) ?? new();
        var matched = 0L;
        PointId? from = null;
        do
        {
            var (ids, next) = await reads.IdsAsync(state, matching, from, cancellationToken);
            foreach (var chunk in ids.Chunk(replySize.Points(dimension: 0)))
            {
                var found = await reads.FetchAsync(
                    state.Info.Name, chunk, withPayload: true, withVectors: false, cancellationToken);
                List<(PointId Id, StoredPoint Point)> points =
                    [.. found.Select(point => (point.Id, PointMapper.ToStored(point.Id, point.Payload, null, withPayload: true)))];
                replySize.Observe([.. points.Select(point => point.Point)]);
                await WriteAsync(state.Info.Name, Patches(points, change), cancellationToken);
                matched += points.Count;
            }
            from = next;
        }
        while (from is not null);
        return matched;
    }

    /// <summary>Returns the changes, those that are equal together.</summary>
    private static IReadOnlyCollection<Patch> Patches(
        IEnumerable<(PointId Id, StoredPoint Point)> points, Func<StoredPoint, JsonObject?> change)
    {
        var patches = new Dictionary<string, Patch>(StringComparer.Ordinal);
        foreach (var (id, point) in points)
        {
            if (change(point) is { } attributes)
            {
                var patch = Patch.Between(point.Payload.Attributes, attributes);
                if (!patches.TryAdd(patch.Key, patch))
                {
                    patch = patches[patch.Key];
                }
                patch.Ids.Add(id);
            }
        }
        return patches.Values;
    }

    private async Task<IReadOnlyCollection<Patch>> ReadAsync(
        CollectionState state,
        IReadOnlyList<string> ids,
        Func<StoredPoint, JsonObject?> change,
        CancellationToken cancellationToken)
    {
        var name = state.Info.Name;
        var found = await reads.FetchAsync(
            name, ids.Select(id => (PointId)PointIds.Of(id)), withPayload: true, withVectors: false, cancellationToken);
        var points = found.ToDictionary(
            point => point.Id.Uuid,
            point => (point.Id, Point: PointMapper.ToStored(point.Id, point.Payload, null, withPayload: true)),
            StringComparer.OrdinalIgnoreCase);
        replySize.Observe([.. points.Values.Select(point => point.Point)]);
        return Patches(
            ids.Select(id => points.TryGetValue(PointIds.Of(id).ToString(), out var point)
                ? point
                : throw CollectionFaults.PointNotFound(name, id)),
            change);
    }

    private async Task WriteAsync(string collection, IEnumerable<Patch> patches, CancellationToken cancellationToken)
    {
        PointsUpdateOperation[] operations = [.. patches.SelectMany(patch => patch.Operations())];
        if (operations.Length > 0)
        {
            await calls.UpdateAsync(collection, operations, cancellationToken);
        }
    }

    /// <summary>A change of attributes, and the points that get it.</summary>
    /// <param name="Set">The fields to set.</param>
    /// <param name="Removed">The fields to remove.</param>
    /// <param name="IsWhole">True if the fields to set are all attributes: the points have none yet, or all are replaced.</param>
    /// <param name="Doubtful">The texts that are no times (<see cref="NoTimes"/>); null if they stay the same.</param>
    private sealed record Patch(JsonObject Set, IReadOnlyList<string> Removed, bool IsWhole, IReadOnlyList<string>? Doubtful)
    {
        public List<PointId> Ids { get; } = [];

        /// <summary>Equal for equal changes.</summary>
        public string Key => new JsonArray(Set.DeepClone(), Texts(Removed), IsWhole, Doubtful is null ? null : Texts(Doubtful)).ToJsonString();

        public static Patch Between(JsonObject? before, JsonObject after)
        {
            var set = new JsonObject();
            foreach (var (name, value) in after)
            {
                if (before is null || !before.TryGetPropertyValue(name, out var old) || !JsonNode.DeepEquals(old, value))
                {
                    set.Add(name, value?.DeepClone());
                }
            }
            var texts = NoTimes.Of(after);
            var doubtful = texts.SequenceEqual(NoTimes.Of(before), StringComparer.Ordinal) ? null : texts;
            // Qdrant removes a field that is set to null, unless the object that holds it is replaced.
            if (set.Any(field => field.Value is null))
            {
                return new((JsonObject)after.DeepClone(), [], IsWhole: true, doubtful);
            }
            return new(
                set, [.. before?.Select(field => field.Key).Where(name => !after.ContainsKey(name)) ?? []], before is null, doubtful);
        }

        public IEnumerable<PointsUpdateOperation> Operations()
        {
            // Unlike a list of ids, a filter may name points that have been deleted since.
            var points = new PointsSelector { Filter = new() { Must = { Conditions.HasId([.. Ids.Select(id => Guid.Parse(id.Uuid))]) } } };
            if (Removed.Count > 0)
            {
                yield return new()
                {
                    DeletePayload = new() { PointsSelector = points, Keys = { Removed.Select(AttributeKeys.Path) } },
                };
            }
            if (Set.Count > 0 || IsWhole)
            {
                var fields = AttributeValues.ToValue(Set);
                var operation = new PointsUpdateOperation.Types.SetPayload { PointsSelector = points };
                if (IsWhole)
                {
                    operation.Payload.Add(PayloadKeys.Attributes, fields);
                }
                else
                {
                    operation.Key = PayloadKeys.Attributes;
                    operation.Payload.Add(fields.StructValue.Fields);
                }
                yield return new() { SetPayload = operation };
            }
            if (Doubtful is { Count: > 0 })
            {
                yield return new()
                {
                    SetPayload = new() { PointsSelector = points, Payload = { [PayloadKeys.NoTimes] = PointMapper.Texts(Doubtful) } },
                };
            }
            else if (Doubtful is not null)
            {
                yield return new() { DeletePayload = new() { PointsSelector = points, Keys = { PayloadKeys.NoTimes } } };
            }
        }

        private static JsonArray Texts(IEnumerable<string> texts) => new([.. texts.Select(text => (JsonNode)text)]);
    }
}
