using System.Collections.Concurrent;

namespace Embeddings.Storage.Sqlite;

/// <summary>The collections there are. Read by all, changed by the writer.</summary>
internal sealed class Catalog : IDisposable
{
    private readonly ConcurrentDictionary<string, CollectionIndex> _collections = new(StringComparer.Ordinal);

    public IEnumerable<CollectionIndex> All => _collections.Values;

    public long TotalPoints => _collections.Sum(static pair => (long)pair.Value.Count);

    public CollectionIndex? Find(string name) => _collections.GetValueOrDefault(name);

    public CollectionIndex Require(string name) =>
        Find(name) ?? throw CollectionFaults.NotFound(name);

    /// <summary>Takes in a collection as the file has it now.</summary>
    public void Set(long key, CollectionSpec spec)
    {
        var index = _collections.GetOrAdd(spec.Name, static (name, arg) => new CollectionIndex(arg.key, name, arg.spec.Dimension, arg.spec.Model), (key, spec));
        index.Model = spec.Model;
    }

    /// <summary>Forgets a collection that the file has no longer.</summary>
    public void Remove(CollectionIndex index)
    {
        if (_collections.TryRemove(KeyValuePair.Create(index.Name, index)))
        {
            index.Dispose();
        }
    }

    public void Dispose()
    {
        foreach (var index in All)
        {
            index.Dispose();
        }
    }
}
