namespace Embeddings.Core.Batching;

/// <summary>
/// A caller and what it has in a queue, so that callers take turns. The key is any object that is equal for the same caller
/// (<see cref="Memory.Caller.Current"/>).
/// </summary>
internal abstract class Owner(object key)
{
    public object Key { get; } = key;

    /// <summary>True if the caller has nothing in the queue.</summary>
    public abstract bool IsIdle { get; }
}

/// <summary>The callers of one queue. Belongs to its queue, which alone uses it, under its lock.</summary>
/// <param name="create">Makes the entry of a new caller.</param>
internal sealed class OwnerTable<T>(Func<object, T> create)
    where T : Owner
{
    // Idle callers are forgotten when there are more.
    private const int MaxIdle = 1024;

    private readonly Dictionary<object, T> _owners = [];
    private int _limit = MaxIdle;
    // The many items in a row are of the same caller.
    private T? _last;

    /// <summary>Number of callers that are remembered.</summary>
    public int Count => _owners.Count;

    /// <summary>Returns the entry of a caller.</summary>
    public T Of(object key)
    {
        if (_last is { } last && last.Key.Equals(key))
        {
            return last;
        }
        if (!_owners.TryGetValue(key, out var owner))
        {
            if (_owners.Count >= _limit)
            {
                ForgetIdle();
            }
            owner = create(key);
            _owners.Add(key, owner);
        }
        _last = owner;
        return owner;
    }

    private void ForgetIdle()
    {
        _last = null;
        foreach (var (key, owner) in _owners)
        {
            if (owner.IsIdle)
            {
                _owners.Remove(key);
            }
        }
        _limit = Math.Max(MaxIdle, 2 * _owners.Count);
    }
}
