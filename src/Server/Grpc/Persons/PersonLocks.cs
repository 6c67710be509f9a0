namespace Embeddings.Server.Grpc.Persons;

/// <summary>Serializes the changes of persons in each collection.</summary>
internal sealed class PersonLocks
{
    private readonly Lock _lock = new();

    // Only those in use, since callers can name any number of collections.
    private readonly Dictionary<string, Entry> _entries = new(StringComparer.Ordinal);

    /// <summary>Waits for earlier changes; dispose the result after the change.</summary>
    public async Task<IDisposable> EnterAsync(string collection, CancellationToken cancellationToken)
    {
        Entry entry;
        lock (_lock)
        {
            if (!_entries.TryGetValue(collection, out entry!))
            {
                _entries.Add(collection, entry = new(this, collection));
            }
            entry.Users++;
        }
        try
        {
            await entry.Turn.WaitAsync(cancellationToken);
            return entry;
        }
        catch
        {
            Leave(entry);
            throw;
        }
    }

    private void Leave(Entry entry)
    {
        lock (_lock)
        {
            if (--entry.Users == 0)
            {
                _entries.Remove(entry.Collection);
            }
        }
    }

    private sealed class Entry(PersonLocks owner, string collection) : IDisposable
    {
        public string Collection => collection;

        public SemaphoreSlim Turn { get; } = new(1);

        public int Users { get; set; }

        public void Dispose()
        {
            Turn.Release();
            owner.Leave(this);
        }
    }
}
