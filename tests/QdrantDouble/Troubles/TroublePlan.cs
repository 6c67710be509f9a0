using Grpc.Core;

namespace Embeddings.QdrantDouble.Troubles;

/// <summary>What shall go wrong. Thread-safe; outlives restarts of its double.</summary>
public sealed class TroublePlan
{
    private readonly Lock _lock = new();
    private readonly List<Entry> _entries = [];
    private readonly Dictionary<string, int> _calls = new(StringComparer.Ordinal);
    private readonly HashSet<int> _lostNodes = [];
    private Func<object, bool>? _bad;

    /// <summary>Told of every call that came: its method and its request.</summary>
    public Action<string, object>? Observer { get; set; }

    /// <summary>From now on, requests like this are INVALID_ARGUMENT.</summary>
    public void Refuse(Func<object, bool> bad)
    {
        lock (_lock)
        {
            _bad = bad;
        }
    }

    /// <summary>From now on, besides what was said before.</summary>
    public void Add(Trouble trouble)
    {
        lock (_lock)
        {
            _entries.Add(new(trouble));
        }
    }

    /// <summary>Nothing goes wrong any more; no node is lost.</summary>
    public void Clear()
    {
        lock (_lock)
        {
            _entries.Clear();
            _bad = null;
            _lostNodes.Clear();
        }
    }

    /// <summary>The points of this node can be neither read nor written.</summary>
    public void LoseNode(int node)
    {
        lock (_lock)
        {
            _lostNodes.Add(node);
        }
    }

    /// <summary>Calls that came, those that went wrong too, by the end of their names; empty for all.</summary>
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

    /// <summary>Counts a call, and says what goes wrong with it; null for nothing.</summary>
    internal Trouble? Next(string method, object request)
    {
        lock (_lock)
        {
            _calls[method] = _calls.GetValueOrDefault(method) + 1;
            foreach (var entry in _entries)
            {
                if (entry.Strikes(method))
                {
                    return entry.Trouble;
                }
            }
            return _bad?.Invoke(request) is true ? new(TroubleKind.Fail) { Status = StatusCode.InvalidArgument, Message = "Wrong input: refused" } : null;
        }
    }

    private sealed class Entry(Trouble trouble)
    {
        private int _seen;
        private int _struck;

        public Trouble Trouble => trouble;

        public bool Strikes(string method)
        {
            if (!method.EndsWith(trouble.Method, StringComparison.Ordinal) || _struck >= trouble.Times || ++_seen % trouble.Every != 0)
            {
                return false;
            }
            _struck++;
            return true;
        }
    }
}
