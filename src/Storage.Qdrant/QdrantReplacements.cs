using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant;

/// <summary>
/// Replaces the faces of jobs: writes the new ones, then removes the others, since Qdrant has no transactions. A point
/// whose write was called later is never removed: while a replacement runs, the ids of later writes of its job are
/// recorded, and writes that begin while points of the job are removed wait for the end of the removal.
/// </summary>
internal sealed class QdrantReplacements(QdrantReads reads, QdrantDeletes deletes)
{
    private readonly Lock _lock = new();

    // Replacements in progress, in the order of the calls.
    private readonly Dictionary<(string Collection, string Job), List<Replacement>> _running = [];

    /// <summary>
    /// Protects points whose write begins now from the removals of earlier calls. Returns null; or the end of a removal
    /// that must be awaited before this is called again.
    /// </summary>
    public Task? Protect(string collection, IReadOnlyList<StoredPoint> points)
    {
        lock (_lock)
        {
            if (_running.Count == 0)
            {
                return null;
            }
            foreach (var point in points)
            {
                if (point.Payload.FaceIndex is not null
                    && _running.TryGetValue((collection, point.Payload.JobId), out var running)
                    && Protect(running, [PointIds.Of(point.Id)]) is { } removal)
                {
                    return removal;
                }
            }
            return null;
        }
    }

    /// <summary>Replaces the faces of a job and returns the number of those removed.</summary>
    /// <param name="state">The collection.</param>
    /// <param name="jobId">The job.</param>
    /// <param name="points">The new faces.</param>
    /// <param name="write">Writes them; called before this method returns unless a removal is in progress.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public async Task<long> ReplaceAsync(
        CollectionState state,
        string jobId,
        IReadOnlyList<StoredPoint> points,
        Func<Task> write,
        CancellationToken cancellationToken)
    {
        var key = (state.Info.Name, jobId);
        var own = new Replacement([.. points.Select(point => PointIds.Of(point.Id))]);
        Task previous;
        while (Begin(key, own, out previous) is { } removal)
        {
            await removal.WaitAsync(cancellationToken);
        }
        try
        {
            await write();
            // Its faces may still be on their way.
            await previous.WaitAsync(cancellationToken);
            return await RemoveOthersAsync(state, jobId, own, cancellationToken);
        }
        finally
        {
            End(key, own);
        }
    }

    private static Task? Protect(List<Replacement> running, IEnumerable<Guid> ids)
    {
        if (running.Find(replacement => replacement.IsRemoving) is { } removing)
        {
            return removing.Ended;
        }
        foreach (var replacement in running)
        {
            replacement.Kept.UnionWith(ids);
        }
        return null;
    }

    private Task? Begin((string Collection, string Job) key, Replacement own, out Task previous)
    {
        previous = Task.CompletedTask;
        lock (_lock)
        {
            if (!_running.TryGetValue(key, out var running))
            {
                _running.Add(key, [own]);
                return null;
            }
            if (Protect(running, own.Kept) is { } removal)
            {
                return removal;
            }
            previous = running[^1].Ended;
            running.Add(own);
            return null;
        }
    }

    private void End((string Collection, string Job) key, Replacement own)
    {
        lock (_lock)
        {
            var running = _running[key];
            running.Remove(own);
            if (running.Count == 0)
            {
                _running.Remove(key);
            }
        }
        own.End();
    }

    private async Task<long> RemoveOthersAsync(
        CollectionState state, string jobId, Replacement own, CancellationToken cancellationToken)
    {
        Filter others;
        lock (_lock)
        {
            others = QdrantFilters.OtherFaces(jobId, own.Kept, state.ReservedIds);
        }
        var removed = 0L;
        PointId? next = null;
        do
        {
            (var found, next) = await reads.IdsAsync(state, others, next, cancellationToken);
            lock (_lock)
            {
                // Some may have been written since, by later calls.
                found.RemoveAll(id => id.HasUuid && own.Kept.Contains(Guid.Parse(id.Uuid)));
                own.IsRemoving |= found.Count > 0;
            }
            if (found.Count > 0)
            {
                var points = new PointsSelector { Points = new() { Ids = { found } } };
                await deletes.DeleteAsync(state.Info.Name, points, cancellationToken);
                removed += found.Count;
            }
        }
        while (next is not null);
        return removed;
    }

    private sealed class Replacement(HashSet<Guid> kept)
    {
        private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>The ids that must not be removed: those of this call and of later writes.</summary>
        public HashSet<Guid> Kept { get; } = kept;

        /// <summary>True while a removal may be on its way.</summary>
        public bool IsRemoving { get; set; }

        public Task Ended => _ended.Task;

        public void End() => _ended.TrySetResult();
    }
}
