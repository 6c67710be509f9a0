using Embeddings.Client;
using Embeddings.Primitives;
using Embeddings.V1;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace Embeddings.Tooling.Migrating;

/// <summary>Parameters of a migration.</summary>
/// <param name="Alias">Name by which readers and writers use the collection.</param>
/// <param name="Model">Name of the new model.</param>
/// <param name="Target">Name of the new collection; empty for the alias and the model's name.</param>
/// <param name="AllowMissing">True to switch although points have no new vector.</param>
/// <param name="Sample">Number of points whose neighbors are compared; 0 for none.</param>
internal sealed record MigrationSettings(string Alias, string Model, string Target, bool AllowMissing, int Sample)
{
    /// <summary>
    /// The longest time between reading a page of points and writing its copies. A point that was replaced in between has a copy that is
    /// newer, but has its old content. If the migration was interrupted before it noticed, the next run copies such points again: all
    /// whose copies were written within this time after the point.
    /// </summary>
    public TimeSpan PageTime { get; init; } = TimeSpan.FromMinutes(10);
}

/// <summary>The state of a migration, for progress.</summary>
/// <param name="Pass">The pass, from 1 on.</param>
/// <param name="Read">Points of the old collection that this pass has read.</param>
/// <param name="Copied">Points with new vectors, in all passes.</param>
/// <param name="Failed">Points without a new vector, in this pass.</param>
internal readonly record struct MigrationProgress(int Pass, long Read, long Copied, long Failed);

/// <summary>The result of a migration.</summary>
/// <param name="From">The old collection.</param>
/// <param name="To">The new collection.</param>
/// <param name="Copied">Points with new vectors that this run has written.</param>
/// <param name="Deleted">Points that were deleted from the new collection, because they were deleted from the old one.</param>
/// <param name="Neighbors">
/// The share of the 10 nearest points that are the same in both collections, 0 to 1, averaged over the sample; null without one.
/// </param>
internal sealed record MigrationResult(string From, string To, long Copied, long Deleted, double? Neighbors);

/// <summary>
/// Moves an alias to a collection of another model, while it is read and written: the points' images are embedded again, and the alias
/// is switched at once.
/// </summary>
/// <remarks>
/// 1. All points of the old collection that the new one lacks, or may have an older version of, are embedded and copied; the times of
/// storing show which these are, so that an interrupted migration continues where it ended. 2. The points that were stored during the
/// last pass are copied, until they are few; points that were deleted are deleted, and holds are set. 3. The neighbors of a sample are
/// compared. 4. The alias is switched. 5. Calls that began before the switch may write to the old collection for a moment: what they
/// change is copied until nothing has changed.
/// </remarks>
internal sealed class Migration(EmbeddingsClient client, SourceEmbedder embedder, MigrationSettings settings, TimeProvider time)
{
    private const int PageSize = 500;

    // A pass that has copied at most this many points takes about a second.
    private const long FewPoints = 200;
    private const int MaxPasses = 20;
    private const int QuietPasses = 2;
    private const int Neighbors = 10;

    // The clocks of several servers may differ by this much.
    private static readonly TimeSpan MaxSkew = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Moment = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan BetweenPasses = TimeSpan.FromSeconds(1);

    // The versions of points that were seen, and copied if necessary: those that later passes list again.
    private readonly Dictionary<string, Timestamp> _seen = new(StringComparer.Ordinal);
    private readonly Dictionary<string, PointFailure> _failures = new(StringComparer.Ordinal);
    private readonly Lock _failing = new();
    private long _copied;
    private int _passes;

    /// <summary>The points without a new vector.</summary>
    public IReadOnlyCollection<PointFailure> Failures => _failures.Values;

    /// <exception cref="ToolException">The migration cannot begin, or has not switched the alias.</exception>
    public async Task<MigrationResult> RunAsync(IProgress<MigrationProgress> progress, CancellationToken cancellationToken)
    {
        var (from, to) = await PrepareAsync(cancellationToken);
        Timestamp? since = null;
        while (true)
        {
            var began = await NewestAsync(from, cancellationToken);
            var copied = await PassAsync(new(from, to, since, began, null), progress, cancellationToken);
            if (_passes > 1 && (copied <= FewPoints || _passes >= MaxPasses))
            {
                break;
            }
            since = began;
        }
        var deleted = await DeleteGoneAsync(from, to, null, cancellationToken);
        await SetHoldsAsync(from, to, cancellationToken);
        var neighbors = settings.Sample > 0 ? await CompareAsync(from, to, cancellationToken) : (double?)null;

        // Another pass leaves only what is written during the switch.
        await PassAsync(new(from, to, since, since, null), progress, cancellationToken);
        RequireSources();
        since = await NewestAsync(from, cancellationToken);
        var last = await NewestAsync(to, cancellationToken);
        await client.SetAliasAsync(settings.Alias, to, cancellationToken);
        // At once for what was written last: users who delete such a point no longer find it in the old collection.
        await PassAsync(new(from, to, since, since, last) { Skew = Moment }, progress, cancellationToken);
        for (var quiet = 0; ;)
        {
            var changed = await PassAsync(new(from, to, since, since, last), progress, cancellationToken);
            var gone = await DeleteGoneAsync(from, to, last, cancellationToken);
            deleted += gone;
            quiet = changed + gone == 0 ? quiet + 1 : 0;
            if (quiet == QuietPasses)
            {
                break;
            }
            await Task.Delay(BetweenPasses, time, cancellationToken);
        }
        await SetHoldsAsync(from, to, cancellationToken);
        return new(from, to, _copied, deleted, neighbors);
    }

    private async Task<(string From, string To)> PrepareAsync(CancellationToken cancellationToken)
    {
        var alias = await client.ListAllAliasesAsync(cancellationToken)
            .FirstOrDefaultAsync(alias => alias.Alias_ == settings.Alias, cancellationToken)
            ?? throw new ToolException(
                $"--collection must be an alias, which can be switched at once; '{settings.Alias}' is none. Create one, and let readers and writers "
                + "use it: embeddings collections alias set ALIAS COLLECTION.");
        var old = await client.GetCollectionAsync(alias.Collection, cancellationToken);
        var model = (await client.GetModelAsync(new() { Name = settings.Model }, cancellationToken)).Model;
        if (old.ModelFingerprint == model.Fingerprint)
        {
            throw new ToolException($"Alias '{settings.Alias}' has a collection of model {model.Name} already: {old.Name}.");
        }
        var to = settings.Target.Length > 0 ? settings.Target : $"{settings.Alias}-{model.Name}";
        try
        {
            var existing = await client.GetCollectionAsync(to, cancellationToken);
            if (existing.Name != to || existing.ModelFingerprint != model.Fingerprint)
            {
                throw new ToolException(
                    $"Collection '{to}' exists and is not of model {model.Name}; name another one with --to.", reason: Reasons.CollectionModelMismatch);
            }
        }
        catch (EmbeddingsException e) when (e.Status == StatusCode.NotFound)
        {
            await client.CreateCollectionAsync(
                new CreateCollectionRequest { Collection = to, Model = model.Name, Settings = old.Settings }, cancellationToken);
        }
        return (old.Name, to);
    }

    private async Task<long> PassAsync(Pass pass, IProgress<MigrationProgress> progress, CancellationToken cancellationToken)
    {
        _passes++;
        var (copied, read) = (0L, 0L);
        var request = new ListVectorsRequest { Collection = pass.From, PageSize = PageSize };
        if (pass.Since is not null)
        {
            request.Filter = new Filter { StoredAt = new TimeRange { From = Earlier(pass.Since, pass.Skew) } };
        }
        var recent = pass.Recent is null ? null : Earlier(pass.Recent, pass.Skew);
        do
        {
            var page = await client.ListVectorsAsync(request, cancellationToken);
            read += page.Points.Count;
            var changed = await ChangedAsync(pass.To, page.Points, pass.Until, cancellationToken);
            var written = await CopyAsync(pass.To, changed, cancellationToken);
            copied += written;
            _copied += written;
            foreach (var point in page.Points.Where(point => !IsLater(recent, point.StoredAt) && !_failures.ContainsKey(point.PointId)))
            {
                _seen[point.PointId] = point.StoredAt;
            }
            progress.Report(new(_passes, read, _copied, _failures.Count));
            request.PageToken = page.NextPageToken;
        }
        while (request.PageToken.Length > 0);
        return copied;
    }

    private async Task<List<VectorPoint>> ChangedAsync(
        string to, IReadOnlyList<VectorPoint> points, Timestamp? until, CancellationToken cancellationToken)
    {
        var unseen = points.Where(point => !_seen.TryGetValue(point.PointId, out var seen) || IsLater(point.StoredAt, seen)).ToList();
        if (unseen.Count == 0)
        {
            return unseen;
        }
        var existing = await client.GetVectorsAsync(
            new GetVectorsRequest { Collection = to, PointIds = { unseen.Select(static point => point.PointId) }, WithVectors = false },
            cancellationToken);
        var copies = existing.Points.ToDictionary(static point => point.PointId, StringComparer.Ordinal);
        return unseen.FindAll(point => !copies.TryGetValue(point.PointId, out var copy) || MayBeOlder(copy, point));

        // A point on hold has not been replaced since, and must not be.
        bool MayBeOlder(VectorPoint copy, VectorPoint point) => !copy.OnHold && (
            until is not null ? !IsLater(copy.StoredAt, until)
            : copy.StoredAt is null || point.StoredAt is null || copy.StoredAt.ToDateTime() <= point.StoredAt.ToDateTime() + settings.PageTime);
    }

    private async Task<long> CopyAsync(string to, List<VectorPoint> points, CancellationToken cancellationToken)
    {
        if (points.Count == 0)
        {
            return 0;
        }
        points.ForEach(point => _failures.Remove(point.PointId));
        var vectors = await embedder.EmbedAsync(points, Fail, cancellationToken);
        var copies = points.Where(point => vectors.ContainsKey(point.PointId))
            .Select(point => new VectorPoint { PointId = point.PointId, Payload = point.Payload, VectorF32 = vectors[point.PointId] }).ToList();
        if (copies.Count > 0)
        {
            await client.UpsertVectorsAsync(new() { Collection = to, Model = settings.Model, Points = { copies } }, cancellationToken);
        }
        return copies.Count;
    }

    private async Task SetHoldsAsync(string from, string to, CancellationToken cancellationToken)
    {
        var held = client.ListAllVectorsAsync(
            new ListVectorsRequest { Collection = from, PageSize = PageSize, Filter = new Filter { OnHold = true } }, cancellationToken);
        await foreach (var some in held.Select(static point => point.PointId).Chunk(PageSize).WithCancellation(cancellationToken))
        {
            var existing = await client.GetVectorsAsync(
                new GetVectorsRequest { Collection = to, PointIds = { some }, WithVectors = false }, cancellationToken);
            string[] free = [.. existing.Points.Where(static point => !point.OnHold).Select(static point => point.PointId)];
            if (free.Length > 0)
            {
                await client.SetLegalHoldAsync(new() { Collection = to, PointIds = { free }, Hold = true }, cancellationToken);
            }
        }
    }

    // Deletes points from the new collection that the old one no longer has: all, or those that were stored until a time, since later ones
    // were written by users of the alias.
    private async Task<long> DeleteGoneAsync(string from, string to, Timestamp? until, CancellationToken cancellationToken)
    {
        var gone = new List<string>();
        var request = new ListVectorsRequest { Collection = to, PageSize = PageSize };
        if (until is not null)
        {
            request.Filter = new Filter { StoredAt = new TimeRange { To = until } };
        }
        do
        {
            var page = await client.ListVectorsAsync(request, cancellationToken);
            if (page.Points.Count > 0)
            {
                var ids = page.Points.Select(static point => point.PointId);
                var existing = await client.GetVectorsAsync(
                    new GetVectorsRequest { Collection = from, PointIds = { ids }, WithVectors = false, WithPayload = false }, cancellationToken);
                gone.AddRange(existing.MissingPointIds);
            }
            request.PageToken = page.NextPageToken;
        }
        while (request.PageToken.Length > 0);
        foreach (var some in gone.Chunk(PageSize))
        {
            await client.DeleteVectorsAsync(new() { Collection = to, PointIds = { some } }, cancellationToken);
        }
        return gone.Count;
    }

    private async Task<double> CompareAsync(string from, string to, CancellationToken cancellationToken)
    {
        // The ids are in no relation to the images, so that the first of them are a sample.
        var page = await client.ListVectorsAsync(
            new ListVectorsRequest { Collection = from, PageSize = Math.Min(settings.Sample, 1000) }, cancellationToken);
        if (page.Points.Count == 0)
        {
            return 1;
        }
        var copies = await client.GetVectorsAsync(
            new GetVectorsRequest { Collection = to, PointIds = { page.Points.Select(static point => point.PointId) }, WithVectors = false },
            cancellationToken);
        var (same, all) = (0, 0);
        foreach (var some in copies.Points.Chunk(32))
        {
            var before = await NearestAsync(from, some, cancellationToken);
            var after = await NearestAsync(to, some, cancellationToken);
            same += before.Zip(after, static (left, right) => left.Intersect(right).Count()).Sum();
            all += before.Sum(static ids => ids.Count);
        }
        return all == 0 ? 1 : (double)same / all;
    }

    private async Task<List<List<string>>> NearestAsync(string collection, VectorPoint[] points, CancellationToken cancellationToken)
    {
        var request = new SearchVectorsRequest { Collection = collection, Limit = Neighbors };
        request.Queries.AddRange(points.Select(static point => new SearchQuery { PointId = point.PointId }));
        var response = await client.SearchVectorsAsync(request, cancellationToken);
        return [.. response.Results.Select(static result => result.Points.Select(static hit => hit.Point.PointId).ToList())];
    }

    // The time of the newest point, by the clock of the server that stored it; null if there is none.
    private async Task<Timestamp?> NewestAsync(string collection, CancellationToken cancellationToken)
    {
        var page = await client.ListVectorsAsync(
            new ListVectorsRequest { Collection = collection, PageSize = 1, OrderBy = new OrderBy { StoredAt = true, Descending = true } },
            cancellationToken);
        return page.Points.FirstOrDefault()?.StoredAt;
    }

    private void Fail(PointFailure failure)
    {
        lock (_failing)
        {
            _failures[failure.PointId] = failure;
        }
    }

    private void RequireSources()
    {
        if (_failures.Count > 0 && !settings.AllowMissing)
        {
            var example = _failures.Values.First();
            throw new ToolException(
                $"{_failures.Count:N0} points have no new vector, for example {example.PointId}: {example.Reason} The alias was not switched; "
                + "run the command again when their sources exist, or with --allow-missing to leave them out.");
        }
    }

    private static Timestamp Earlier(Timestamp time, TimeSpan by) => Timestamp.FromDateTime(time.ToDateTime() - by);

    private static bool IsLater(Timestamp? left, Timestamp? right) => left is not null && (right is null || left.CompareTo(right) > 0);

    /// <summary>A pass over the old collection.</summary>
    /// <param name="From">The old collection.</param>
    /// <param name="To">The new collection.</param>
    /// <param name="Since">Time of storing from which points are copied; null for all.</param>
    /// <param name="Recent">Time of storing from which the next pass may list points again; null for all.</param>
    /// <param name="Until">
    /// After the switch: points of the new collection that were stored later were written by users of the alias, and are kept. Before the
    /// switch: null.
    /// </param>
    private sealed record Pass(string From, string To, Timestamp? Since, Timestamp? Recent, Timestamp? Until)
    {
        /// <summary>How much earlier the times of other servers may be.</summary>
        public TimeSpan Skew { get; init; } = MaxSkew;
    }
}
