using Grpc.Core;

namespace Embeddings.QdrantDouble.Troubles;

/// <summary>Injected failures. Thread-safe; kept across restarts of the double.</summary>
public sealed class TroublePlan
{
    private readonly Lock _lock = new();
    private readonly List<Entry> _entries = [];
    private readonly Dictionary<string, int> _calls = new(StringComparer.Ordinal);
    private readonly HashSet<int> _lostNodes = [];
    private Func<object, bool>? _bad;

    /// <summary>Called for every call with its method and request.</summary>
    public Action<string, object>? Observer { get; set; }

    /// <summary>Called when the caller of a stalled call has gone.</summary>
    public Action? StallEnded { get; set; }

    /// <summary>Fails matching requests with INVALID_ARGUMENT from now on.</summary>
    public void Refuse(Func<object, bool> bad)
    {
        lock (_lock)
        {
            _bad = bad;
        }
    }

    /// <summary>Adds a failure to those injected from now on.</summary>
    public void Add(Trouble trouble)
    {
        lock (_lock)
        {
            _entries.Add(new(trouble));
        }
    }

    /// <summary>Removes all failures and restores all nodes.</summary>
    public void Clear()
    {
        lock (_lock)
        {
            _entries.Clear();
            _bad = null;
            _lostNodes.Clear();
        }
    }

    /// <summary>Makes the points of a node unavailable for reads and writes.</summary>
    public void LoseNode(int node)
    {
        lock (_lock)
        {
            _lostNodes.Add(node);
        }
    }

    /// <summary>Counts calls, including failed ones, by the end of their names; empty for all.</summary>
    public int Calls(string method = "")
    {
        lock (_lock)
        {
            return _calls.Where(call => call.Key.EndsWith(method, StringComparison.Ordinal)).Sum(call => call.Value);
        }
    }

    internal bool IsLost(int node)
    {
        lock (_lock)
        {
            return _lostNodes.Contains(node);
        }
    }

    internal bool AnyLost
    {
        get
        {
            lock (_lock)
            {
                return _lostNodes.Count > 0;
            }
        }
    }

    /// <summary>Counts a call and returns the failure to inject, or null.</summary>
    internal Trouble? Next(string method, object request)
    {
        lock (_lock)
        {
            _calls[method] = _calls.GetValueOrDefault(method) + 1;
            // First, so that no other failure, such as a delay, lets a request pass that must be refused.
            if (_bad?.Invoke(request) is true)
            {
                return new(TroubleKind.Fail) { Status = StatusCode.InvalidArgument, Message = "Wrong input: refused" };
            }
            foreach (var entry in _entries)
            {
                if (entry.Applies(method))
                {
                    return entry.Trouble;
                }
            }
            return null;
        }
    }

    private sealed class Entry(Trouble trouble)
    {
        private int _seen;
        private int _applied;

        public Trouble Trouble => trouble;

        public bool Applies(string method)
        {
            if (!method.EndsWith(trouble.Method, StringComparison.Ordinal)
                || _applied >= trouble.Times
                || ++_seen % trouble.Every != 0)
            {
                return false;
            }
            _applied++;
            return true;
        }
    }
}
