using System.Collections;
using System.Numerics;
using Embeddings.Primitives.Numerics;

namespace Embeddings.Storage.Sqlite;

/// <summary>
/// A collection's normalized vectors by slot, encoded as bytes, with the scale, the norm of the rounding error, and the row number
/// of each: a quarter of the memory of the vectors themselves, which are read from the file for the few rows that need it.
/// </summary>
/// <remarks>
/// They are in aligned segments of about 2 MiB rather than in one block: growing a block requires a copy, which takes twice the
/// memory and stops writes and searches while it runs, and 2 MiB are enough to stream at full speed. Only the first segment grows,
/// by doubling: most collections of a server with thousands are small.
/// </remarks>
internal sealed unsafe class CodeSegments : IDisposable
{
    /// <summary>The number of rows in a block, which is written to the file of the index as a whole.</summary>
    public const int BlockRows = 64;

    // Scale and error, 4 bytes each, and the row number.
    private const int MetaBytes = 16;

    // One huge page; a byte more would take two.
    private const int MaxBytes = 2 << 20;
    private const int FirstBytes = 4 << 10;

    private readonly List<Segment> _segments = [];
    private readonly float[] _unit;
    private Task<AlignedBuffer>? _next;

    public CodeSegments(int dimension)
    {
        Dimension = dimension;
        Stride = DotProducts.Stride(dimension);
        CodeStride = ByteCodes.Stride(dimension);
        SegmentRows = Math.Max(BlockRows, MaxBytes / RowBytes / BlockRows * BlockRows);
        _unit = new float[CodeStride];
    }

    public int Dimension { get; }

    /// <summary>The number of floats from one query vector to the next; those beyond the dimension are zero.</summary>
    public int Stride { get; }

    /// <summary>The number of bytes from one row of codes to the next; those beyond the dimension are codes of zero.</summary>
    public int CodeStride { get; }

    /// <summary>The number of rows in a segment: whole blocks.</summary>
    public int SegmentRows { get; }

    /// <summary>The bytes of a row in memory.</summary>
    public int RowBytes => CodeStride + MetaBytes;

    /// <summary>The bytes of a block in the file of the index.</summary>
    public int BlockBytes => checked(BlockRows * RowBytes);

    /// <summary>The bytes allocated.</summary>
    public long Bytes => _segments.Sum(static segment => (long)segment.Buffer.Bytes);

    /// <summary>
    /// Makes room for a number of rows. New memory is slow at first, because each page has to be committed, so the next
    /// segment is prepared in the background: the writer, which blocks searches while it is here, finds it ready.
    /// </summary>
    public void Reserve(int rows)
    {
        GrowFirst(Math.Min(rows, SegmentRows));
        while ((long)_segments.Count * SegmentRows < rows)
        {
            var ready = _next;
            _next = null;
            _segments.Add(new Segment(ready is null ? NewSegment(SegmentRows) : ready.GetAwaiter().GetResult(), SegmentRows));
            _next = Task.Run(() => NewSegment(SegmentRows));
        }
    }

    /// <summary>
    /// Frees the segments beyond a number of rows except one, so that repeated inserts and deletes do not allocate each
    /// time; all of them if no rows are left.
    /// </summary>
    public void Trim(int rows)
    {
        if (rows == 0)
        {
            Dispose();
        }

        while ((long)(_segments.Count - 2) * SegmentRows >= rows)
        {
            _segments[^1].Buffer.Dispose();
            _segments.RemoveAt(_segments.Count - 1);
        }
    }

    /// <summary>Normalizes and encodes a vector into a slot. Returns false, and changes nothing, if it is not finite or all zero.</summary>
    public bool TrySet(int slot, long row, ReadOnlySpan<float> vector)
    {
        var segment = Find(slot, out var at);
        if (!TryEncode(vector, _unit, new(segment.Codes(CodeStride, at), CodeStride), out var scale, out var error))
        {
            return false;
        }

        segment.Scales(CodeStride)[at] = scale;
        segment.Errors(CodeStride)[at] = error;
        segment.Rows(CodeStride)[at] = row;
        segment.Changed[at / BlockRows] = true;
        return true;
    }

    /// <summary>Copies encoded vectors to consecutive slots.</summary>
    public void Set(int slot, EncodedRows rows)
    {
        for (var i = 0; i < rows.Count; i++)
        {
            var segment = Find(slot + i, out var at);
            rows.Codes.AsSpan(i * CodeStride, CodeStride).CopyTo(new(segment.Codes(CodeStride, at), CodeStride));
            segment.Scales(CodeStride)[at] = rows.Scales[i];
            segment.Errors(CodeStride)[at] = rows.Errors[i];
            segment.Rows(CodeStride)[at] = rows.Rows[i];
            segment.Changed[at / BlockRows] = true;
        }
    }

    /// <summary>Normalizes and encodes a vector. Returns false, and writes nothing, if it is not finite or all zero.</summary>
    /// <param name="vector">The vector.</param>
    /// <param name="unit">Space for as many floats as there are codes, of which those beyond the dimension are zero.</param>
    /// <param name="codes">The output.</param>
    /// <param name="scale">The scale of the codes.</param>
    /// <param name="error">A bound above the norm of the rounding error.</param>
    public static bool TryEncode(ReadOnlySpan<float> vector, Span<float> unit, Span<byte> codes, out float scale, out float error)
    {
        (scale, error) = (0, 0);
        if (!UnitVectors.TryNormalize(vector, unit[..vector.Length]))
        {
            return false;
        }

        error = ByteCodes.Encode(unit, ByteCodes.RowLevels, ByteCodes.RowBias, codes, out scale);
        return true;
    }

    /// <summary>Returns whether a slot has the codes of this vector.</summary>
    public bool Matches(int slot, ReadOnlySpan<float> vector)
    {
        var codes = new byte[CodeStride];
        return TryEncode(vector, new float[CodeStride], codes, out var scale, out _)
            && *Scales(slot) == scale
            && codes.AsSpan().SequenceEqual(new ReadOnlySpan<byte>(Codes(slot), CodeStride));
    }

    /// <summary>Moves a row to another slot, and overwrites its old one with zeros.</summary>
    public void Move(int from, int to)
    {
        var (source, target) = (Find(from, out var old), Find(to, out var at));
        if (from != to)
        {
            new Span<byte>(source.Codes(CodeStride, old), CodeStride).CopyTo(new(target.Codes(CodeStride, at), CodeStride));
            target.Scales(CodeStride)[at] = source.Scales(CodeStride)[old];
            target.Errors(CodeStride)[at] = source.Errors(CodeStride)[old];
            target.Rows(CodeStride)[at] = source.Rows(CodeStride)[old];
            target.Changed[at / BlockRows] = true;
        }

        new Span<byte>(source.Codes(CodeStride, old), CodeStride).Clear();
        source.Scales(CodeStride)[old] = 0;
        source.Errors(CodeStride)[old] = 0;
        source.Rows(CodeStride)[old] = 0;
        source.Changed[old / BlockRows] = true;
    }

    public byte* Codes(int slot) => Find(slot, out var at).Codes(CodeStride, at);

    public long Row(int slot) => Find(slot, out var at).Rows(CodeStride)[at];

    /// <summary>The address of the scale of a slot; those of the following slots of its segment follow it.</summary>
    public float* Scales(int slot) => Find(slot, out var at).Scales(CodeStride) + at;

    /// <summary>The address of the bound above the norm of the rounding error; those of the following slots of its segment follow it.</summary>
    public float* Errors(int slot) => Find(slot, out var at).Errors(CodeStride) + at;

    /// <summary>Copies a block: codes, scales, errors and row numbers, which are 0 for rows that do not exist.</summary>
    public void CopyBlock(int block, Span<byte> to)
    {
        var segment = Find(block * BlockRows, out var at);
        var count = Math.Min(BlockRows, segment.Capacity - at);
        to.Clear();
        var parts = new BlockParts(CodeStride);
        new Span<byte>(segment.Codes(CodeStride, at), count * CodeStride).CopyTo(to);
        new Span<byte>(segment.Scales(CodeStride) + at, count * sizeof(float)).CopyTo(to[parts.Scales..]);
        new Span<byte>(segment.Errors(CodeStride) + at, count * sizeof(float)).CopyTo(to[parts.Errors..]);
        new Span<byte>(segment.Rows(CodeStride) + at, count * sizeof(long)).CopyTo(to[parts.Rows..]);
    }

    /// <summary>Sets a block to what <see cref="CopyBlock"/> has copied. Its segment must be complete, and the block counts as unchanged.</summary>
    public void SetBlock(int block, ReadOnlySpan<byte> from)
    {
        var segment = Find(block * BlockRows, out var at);
        var parts = new BlockParts(CodeStride);
        from[..parts.Scales].CopyTo(new(segment.Codes(CodeStride, at), parts.Scales));
        from[parts.Scales..parts.Errors].CopyTo(new(segment.Scales(CodeStride) + at, BlockRows * sizeof(float)));
        from[parts.Errors..parts.Rows].CopyTo(new(segment.Errors(CodeStride) + at, BlockRows * sizeof(float)));
        from[parts.Rows..BlockBytes].CopyTo(new(segment.Rows(CodeStride) + at, BlockRows * sizeof(long)));
    }

    /// <summary>Returns true if a block has changed since it was last marked as unchanged.</summary>
    public bool IsChanged(int block) => Find(block * BlockRows, out var at).Changed[at / BlockRows];

    public void MarkChanged(int block, bool isChanged) => Find(block * BlockRows, out var at).Changed[at / BlockRows] = isChanged;

    public void Dispose()
    {
        foreach (var segment in _segments)
        {
            segment.Buffer.Dispose();
        }

        _segments.Clear();
        _next?.ContinueWith(static next => next.Result.Dispose(), TaskContinuationOptions.OnlyOnRanToCompletion);
        _next = null;
    }

    private Segment Find(int slot, out int at)
    {
        at = slot % SegmentRows;
        return _segments[slot / SegmentRows];
    }

    private void GrowFirst(int rows)
    {
        if (_segments.Count > 0 && _segments[0].Capacity >= rows)
        {
            return;
        }

        var doubled = Math.Max((int)BitOperations.RoundUpToPowerOf2((uint)rows), FirstBytes / RowBytes);
        var capacity = Math.Min(doubled, SegmentRows);
        var grown = new Segment(NewSegment(capacity), capacity);
        if (_segments.Count == 0)
        {
            _segments.Add(grown);
            return;
        }

        var old = _segments[0];
        var count = old.Capacity;
        Buffer.MemoryCopy(old.Codes(CodeStride, 0), grown.Codes(CodeStride, 0), (long)grown.Buffer.Bytes, (long)count * CodeStride);
        new Span<float>(old.Scales(CodeStride), count).CopyTo(new(grown.Scales(CodeStride), count));
        new Span<float>(old.Errors(CodeStride), count).CopyTo(new(grown.Errors(CodeStride), count));
        new Span<long>(old.Rows(CodeStride), count).CopyTo(new(grown.Rows(CodeStride), count));
        grown.Changed.SetAll(true);
        old.Buffer.Dispose();
        _segments[0] = grown;
    }

    private AlignedBuffer NewSegment(int rows) => AlignedBuffer.ZeroedFloats(checked(rows * (RowBytes / sizeof(float))));

    /// <summary>Codes of all rows, then their scales, errors and row numbers.</summary>
    private sealed class Segment(AlignedBuffer buffer, int capacity)
    {
        public AlignedBuffer Buffer { get; } = buffer;

        public int Capacity { get; } = capacity;

        /// <summary>The blocks that have changed.</summary>
        public BitArray Changed { get; } = new((capacity + BlockRows - 1) / BlockRows);

        public byte* Codes(int stride, int at) => (byte*)Buffer.Address + ((nint)at * stride);

        public float* Scales(int stride) => (float*)Codes(stride, Capacity);

        public float* Errors(int stride) => Scales(stride) + Capacity;

        public long* Rows(int stride) => (long*)(Errors(stride) + Capacity);
    }
    /// <summary>Positions in a block.</summary>
    private readonly struct BlockParts(int codeStride)
    {
        public int Scales { get; } = BlockRows * codeStride;

        public int Errors => Scales + (BlockRows * sizeof(float));

        public int Rows => Errors + (BlockRows * sizeof(float));
    }
}

/// <summary>Encoded vectors that are to be added to an index.</summary>
internal sealed class EncodedRows(int capacity, int codeStride)
{
    private readonly float[] _unit = new float[codeStride];

    public int Count { get; private set; }

    public long[] Rows { get; } = new long[capacity];

    public float[] Scales { get; } = new float[capacity];

    public float[] Errors { get; } = new float[capacity];

    public byte[] Codes { get; } = new byte[checked(capacity * codeStride)];

    public bool IsFull => Count == Rows.Length;

    /// <summary>Adds a row. Returns false if its vector is not finite or all zero.</summary>
    public bool TryAdd(long row, ReadOnlySpan<float> vector)
    {
        if (!CodeSegments.TryEncode(vector, _unit, Codes.AsSpan(Count * codeStride, codeStride), out Scales[Count], out Errors[Count]))
        {
            return false;
        }

        Rows[Count++] = row;
        return true;
    }

    public void Clear() => Count = 0;
}
