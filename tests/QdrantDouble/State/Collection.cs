using System.Collections.Concurrent;
using Qdrant.Client.Grpc;

namespace Embeddings.QdrantDouble.State;

/// <summary>A collection: its configuration, indexes and points by id. Its methods lock it.</summary>
internal sealed class Collection(CreateCollection config)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<PointKey, Point> _points = [];
    private Point[]? _sorted;

    public CreateCollection Config => config;

    public ConcurrentDictionary<string, FieldType> Indexes { get; } = new(StringComparer.Ordinal);

    public ulong Dimension => config.VectorsConfig?.Params?.Size ?? 0;

    public bool IsCosine => config.VectorsConfig?.Params?.Distance == Distance.Cosine;

    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _points.Count;
            }
        }
    }

    public void Put(IEnumerable<Point> points)
    {
        lock (_lock)
        {
            foreach (var point in points)
            {
                _points[point.Key] = point;
            }
            _sorted = null;
        }
    }

    public void Remove(IEnumerable<PointKey> keys)
    {
        lock (_lock)
        {
            foreach (var key in keys)
            {
                _points.Remove(key);
            }
            _sorted = null;
        }
    }

    public Point? Find(PointKey key)
    {
        lock (_lock)
        {
            return _points.GetValueOrDefault(key);
        }
    }

    /// <summary>Returns all points in order of their ids.</summary>
    public Point[] Sorted()
    {
        lock (_lock)
        {
            return _sorted ??= [.. _points.Values.OrderBy(point => point.Key)];
        }
    }

    /// <summary>Returns the points from this id on.</summary>
    public IEnumerable<Point> From(PointKey key)
    {
        var points = Sorted();
        var low = 0;
        var high = points.Length;
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (points[middle].Key.CompareTo(key) < 0)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }
        return points.Skip(low);
    }
}
