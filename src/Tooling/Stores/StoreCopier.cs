using Embeddings.Primitives;
using Embeddings.Storage;
using Embeddings.Tooling.Ingesting;

namespace Embeddings.Tooling.Stores;

/// <summary>Result of copying one collection.</summary>
/// <param name="Copied">Number of points copied by this run.</param>
/// <param name="Source">Number of points in the source.</param>
/// <param name="Target">Number of points in the target.</param>
/// <param name="LacksGraph">True if the target cannot have the approximate index that the source has.</param>
internal readonly record struct CollectionCopy(long Copied, long Source, long Target, bool LacksGraph)
{
    public bool AreEqual => Source == Target;
}

/// <summary>
/// Copies collections to another store: 1. creates the collection in the target with the dimension, model, and settings of the
/// source, 2. copies the points page by page, replacing points of the same id, 3. counts both. A copy can resume from a
/// page token.
/// </summary>
internal sealed class StoreCopier(IVectorStore source, IVectorStore target)
{
    // A page of 512-dimensional points is about 2 MB: large enough that a round trip does not matter.
    private const int PageSize = 1000;

    // Pages that are written while the next one is read.
    private const int InFlight = 4;

    /// <summary>Returns the collections to copy.</summary>
    /// <param name="names">Names of the collections; all if empty.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    /// <exception cref="ToolException">A collection does not exist.</exception>
    public async Task<IReadOnlyList<CollectionInfo>> CollectionsAsync(
        IReadOnlyList<string> names, CancellationToken cancellationToken)
    {
        var known = await source.ListCollectionsAsync(cancellationToken);
        return names.FirstOrDefault(name => known.All(collection => collection.Name != name)) is { } missing
            ? throw new ToolException($"Collection '{missing}' does not exist in the source.")
            : [.. known.Where(collection => names.Count == 0 || names.Contains(collection.Name))];
    }

    /// <summary>Copies a collection from where <paramref name="state"/> ends.</summary>
    public async Task<CollectionCopy> CopyAsync(
        CollectionInfo collection, CopyState state, IProgress<ItemCounts> progress, CancellationToken cancellationToken)
    {
        var copied = 0L;
        if (state[collection.Name] == CopyState.Done)
        {
            return new(0, collection.Count, await target.CountAsync(collection.Name, PointFilter.All, cancellationToken), false);
        }
        await target.EnsureCollectionAsync(collection.Spec, cancellationToken);
        var lacksGraph = !await CopySettingsAsync(collection, cancellationToken);
        void Report(int points, string next)
        {
            copied += points;
            state.Set(collection.Name, next);
            progress.Report(new ItemCounts(copied, 0, 0));
        }
        var (inSource, inTarget) = await CopyAsync(collection, state[collection.Name], Report, cancellationToken);
        return new(copied, inSource, inTarget, lacksGraph);
    }

    /// <summary>Copies the aliases of collections that were copied, and returns their number.</summary>
    public async Task<int> CopyAliasesAsync(IReadOnlyList<CollectionInfo> collections, CancellationToken cancellationToken)
    {
        var names = collections.Select(collection => collection.Name).ToHashSet(StringComparer.Ordinal);
        List<CollectionAlias> aliases =
        [
            .. (await source.AliasesAsync(cancellationToken))
                .Where(alias => names.Contains(alias.Value))
                .Select(alias => new CollectionAlias(alias.Key, alias.Value)),
        ];
        if (aliases.Count > 0)
        {
            await target.UpdateAliasesAsync(aliases, [], cancellationToken);
        }
        return aliases.Count;
    }

    // False if the target cannot have the approximate index.
    private async Task<bool> CopySettingsAsync(CollectionInfo collection, CancellationToken cancellationToken)
    {
        if (collection.Settings.Retention is { } retention)
        {
            await target.UpdateSettingsAsync(collection.Name, new() { Retention = retention }, cancellationToken);
        }
        if (collection.IndexedAttributes.Count > 0)
        {
            await target.SetIndexedAttributesAsync(collection.Name, collection.IndexedAttributes, [], cancellationToken);
        }
        if (collection.Settings.ApproximateIndex is { } graph)
        {
            try
            {
                await target.UpdateSettingsAsync(collection.Name, new() { ApproximateIndex = graph }, cancellationToken);
            }
            catch (Fault fault) when (fault.Field == "approximate_index")
            {
                return false;
            }
        }
        return true;
    }

    /// <param name="collection">Collection of the source.</param>
    /// <param name="pageToken">Page to start from; empty for the beginning.</param>
    /// <param name="copied">
    /// Called after each page, in order, once it is durable, with its number of points and the token to resume from; an
    /// empty token is the end.
    /// </param>
    /// <param name="cancellationToken">Cancels the copy between pages.</param>
    /// <returns>Number of points in the source and in the target.</returns>
    public async Task<(long Source, long Target)> CopyAsync(
        CollectionInfo collection, string pageToken, Action<int, string> copied, CancellationToken cancellationToken)
    {
        await target.EnsureCollectionAsync(new(collection.Name, collection.Dimension, collection.Model), cancellationToken);
        var writing = new Queue<(Task Write, int Points, string Next)>();
        var token = pageToken;
        do
        {
            var page = await source.ListAsync(
                collection.Name, PointFilter.All, PageSize, token, withVectors: true, cancellationToken);
            token = page.NextPageToken;
            writing.Enqueue((target.UpsertAsync(collection.Name, page.Points, cancellationToken), page.Points.Count, token));
            while (writing.Count > (token.Length == 0 ? 0 : InFlight))
            {
                var (write, points, next) = writing.Dequeue();
                await write;
                copied(points, next);
            }
        }
        while (token.Length > 0);

        return (
            await source.CountAsync(collection.Name, PointFilter.All, cancellationToken),
            await target.CountAsync(collection.Name, PointFilter.All, cancellationToken));
    }
}
