namespace Embeddings.Core.Faces;

/// <summary>
/// Groups of faces. Faces are nodes, numbered in ordinal order of their ids; a group is named by its root, the first of its
/// nodes. The mean vector of a group is the mean of its faces' unit vectors, weighted by their quality, so that the product
/// of two mean vectors is the weighted mean of the similarities of all pairs.
/// </summary>
internal sealed unsafe class ClusteringGroups
{
    private readonly ClusteringRows _rows;
    private readonly int[] _parent;
    private readonly int[] _row;
    private readonly int[] _next;
    private readonly int[] _last;
    private readonly int[] _size;
    private readonly double[] _weight;
    private readonly int[] _version;
    private readonly int[] _photo;
    private readonly HashSet<int>?[] _photos;

    // Rows of means that are free, and those that hold one: rows of faces must not change.
    private readonly Stack<int> _free = new();
    private readonly int _faceRows;

    /// <summary>Makes each face a group of its own.</summary>
    /// <param name="rows">The unit vectors of the faces; rows for means are added.</param>
    /// <param name="row">For each node, the row of its face.</param>
    /// <param name="weight">For each node, the weight of its face, above 0.</param>
    /// <param name="photo">For each node, the number of its photo; -1 for a photo without another face.</param>
    public ClusteringGroups(ClusteringRows rows, int[] row, double[] weight, int[] photo)
    {
        _rows = rows;
        _faceRows = rows.Count;
        _row = row;
        _weight = weight;
        _photo = photo;
        _parent = [.. Enumerable.Range(0, row.Length)];
        _last = [.. _parent];
        _next = new int[row.Length];
        Array.Fill(_next, -1);
        _size = new int[row.Length];
        Array.Fill(_size, 1);
        _version = new int[row.Length];
        _photos = new HashSet<int>?[row.Length];
    }

    public int Stride => _rows.Stride;

    /// <summary>Returns the root of a node's group.</summary>
    public int Root(int node)
    {
        while (_parent[node] != node)
        {
            node = _parent[node] = _parent[_parent[node]];
        }
        return node;
    }

    /// <summary>A number that changes whenever the mean vector of a root does.</summary>
    public int Version(int root) => _version[root];

    public int Size(int root) => _size[root];

    /// <summary>The address of a root's mean vector, that of its face if it has only one.</summary>
    public nint Mean(int root) => (nint)_rows.Address(_row[root]);

    /// <summary>Returns true if both groups have a face in one photo.</summary>
    public bool Conflict(int left, int right)
    {
        if (_size[left] > _size[right])
        {
            (left, right) = (right, left);
        }
        if (_photos[left] is { } photos)
        {
            foreach (var photo in photos)
            {
                if (IsIn(right, photo))
                {
                    return true;
                }
            }
            return false;
        }
        return IsIn(right, _photo[left]);
    }

    /// <summary>Merges two groups and returns the root of the new one.</summary>
    public int Merge(int left, int right)
    {
        var (root, other) = left < right ? (left, right) : (right, left);
        var mean = TakeMean(root, other);
        var weight = _weight[root] + _weight[other];
        var a = _rows.Span(_row[root]);
        var b = _rows.Span(_row[other]);
        var target = _rows.Span(mean);
        var (shareA, shareB) = (_weight[root] / weight, _weight[other] / weight);
        for (var i = 0; i < target.Length; i++)
        {
            target[i] = (float)((a[i] * shareA) + (b[i] * shareB));
        }
        Release(_row[root], mean);
        Release(_row[other], mean);
        _row[root] = mean;
        _weight[root] = weight;
        _version[root]++;
        Append(root, other);
        return root;
    }

    /// <summary>Adds a group to another, whose mean vector stays as it is.</summary>
    public void Join(int root, int group)
    {
        Append(root, group);
        Release(_row[group], -1);
    }

    /// <summary>Returns the nodes of a group.</summary>
    public List<int> Members(int root)
    {
        var members = new List<int>(_size[root]);
        for (var node = root; node >= 0; node = _next[node])
        {
            members.Add(node);
        }
        return members;
    }

    private bool IsIn(int group, int photo) =>
        photo >= 0 && (_photos[group] is { } photos ? photos.Contains(photo) : _photo[group] == photo);

    // The row for the mean of a merged group: one that either has, or another.
    private int TakeMean(int root, int other)
    {
        if (_row[root] >= _faceRows)
        {
            return _row[root];
        }
        if (_row[other] >= _faceRows)
        {
            return _row[other];
        }
        return _free.TryPop(out var row) ? row : _rows.Add();
    }

    private void Release(int row, int kept)
    {
        if (row >= _faceRows && row != kept)
        {
            _free.Push(row);
        }
    }

    private void Append(int root, int other)
    {
        AddPhotos(root, other);
        _parent[other] = root;
        _next[_last[root]] = other;
        _last[root] = _last[other];
        _size[root] += _size[other];
    }

    // The smaller set is added to the larger.
    private void AddPhotos(int root, int other)
    {
        var (into, from) = (_photos[root] ?? Single(root), _photos[other] ?? Single(other));
        if (into is null || from is null)
        {
            _photos[root] = into ?? from;
        }
        else
        {
            (into, from) = into.Count >= from.Count ? (into, from) : (from, into);
            into.UnionWith(from);
            _photos[root] = into;
        }
        _photos[other] = null;
    }

    private HashSet<int>? Single(int root) => _photo[root] < 0 ? null : [_photo[root]];
}
