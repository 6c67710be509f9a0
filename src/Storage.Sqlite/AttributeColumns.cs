using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Embeddings.Storage.Sqlite;

/// <summary>
/// The values of the indexed attributes of a collection in memory, by slot, so that a filter over a million points takes about a
/// millisecond. Guarded by the gate of the collection; the list of indexes can be read without it.
/// </summary>
internal sealed class AttributeColumns
{
    private volatile AttributeIndex[] _indexes = [];
    private AttributeColumn[] _columns = [];

    /// <summary>The indexes, in the order of their paths.</summary>
    public IReadOnlyList<AttributeIndex> Indexes => _indexes;

    public IReadOnlyList<IndexedAttribute> Attributes => _indexes is { Length: > 0 } some ? [.. some.Select(static index => index.Attribute)] : [];

    public bool Any => _columns.Length > 0;

    /// <summary>Replaces the list. Columns of indexes that stay keep their values; others are empty.</summary>
    /// <param name="indexes">The indexes.</param>
    /// <param name="count">The number of points.</param>
    public void Set(IReadOnlyList<AttributeIndex> indexes, int count)
    {
        var old = _columns;
        _columns =
        [
            .. indexes.Select(index => Array.Find(old, column => column.Index.Id == index.Id) ?? AttributeColumn.New(index)),
        ];
        foreach (var column in _columns)
        {
            column.Reserve(count);
        }

        _indexes = [.. _columns.Select(static column => column.Index)];
    }

    /// <summary>Sets the value of a point for one index.</summary>
    public void Put(long index, int slot, object value) => Array.Find(_columns, column => column.Index.Id == index)?.Put(slot, value);

    /// <summary>Sets the values of a point.</summary>
    public void Put(int slot, byte[]? attributes)
    {
        foreach (var column in _columns)
        {
            column.Put(slot, column.Index.Read(attributes));
        }
    }

    /// <summary>Removes a point; the last one moves to its slot.</summary>
    public void Remove(int slot, int last)
    {
        foreach (var column in _columns)
        {
            column.Remove(slot, last);
        }
    }

    public void Clear()
    {
        _columns = [];
        _indexes = [];
    }

    /// <summary>Returns true if the indexes contain all fields of the filter, so that <see cref="Find"/> can evaluate it.</summary>
    public bool Cover(PointFilter filter) => Cover(_indexes, filter);

    /// <summary>
    /// Returns the slots below <paramref name="count"/> of the points that match; null if an index was removed in between. The caller
    /// holds the gate.
    /// </summary>
    public SlotBits? Find(PointFilter filter, int count)
    {
        if (!Cover(filter))
        {
            return null;
        }

        var bits = new SlotBits(count);
        Evaluate(filter, bits);
        return bits;
    }

    private static bool Cover(AttributeIndex[] indexes, PointFilter filter) =>
        (filter with { Attributes = [], AllOf = [], AnyOf = [], NoneOf = [] }).IsEmpty
        && filter.Attributes.All(condition => Array.Exists(indexes, index => index.Supports(condition)))
        && filter.AllOf.Concat(filter.AnyOf).Concat(filter.NoneOf).All(part => Cover(indexes, part));

    private void Evaluate(PointFilter filter, SlotBits result)
    {
        result.Fill();
        foreach (var condition in filter.Attributes)
        {
            var own = result.New();
            _columns.First(column => column.Index.Supports(condition)).Evaluate(condition, own.Words, own.Count);
            result.And(own);
        }

        foreach (var part in filter.AllOf)
        {
            result.And(Of(part));
        }

        if (filter.AnyOf.Count > 0)
        {
            var any = result.New();
            foreach (var part in filter.AnyOf)
            {
                any.Or(Of(part));
            }

            result.And(any);
        }

        foreach (var part in filter.NoneOf)
        {
            result.AndNot(Of(part));
        }

        SlotBits Of(PointFilter part)
        {
            var bits = result.New();
            Evaluate(part, bits);
            return bits;
        }
    }
}

/// <summary>A set of slots as bits.</summary>
internal sealed class SlotBits(int count)
{
    public int Count { get; } = count;

    public ulong[] Words { get; } = new ulong[(count + 63) / 64];

    /// <summary>The number of slots in the set.</summary>
    public int Cardinality => Words.Sum(static word => BitOperations.PopCount(word));

    public bool Contains(int slot) => (Words[slot / 64] & (1UL << (slot % 64))) != 0;

    public void Add(int slot) => Words[slot / 64] |= 1UL << (slot % 64);

    /// <summary>An empty set of the same size.</summary>
    public SlotBits New() => new(Count);

    public void Fill()
    {
        Array.Fill(Words, ulong.MaxValue);
        if (Count % 64 != 0)
        {
            Words[^1] = (1UL << (Count % 64)) - 1;
        }
    }

    public void And(SlotBits other)
    {
        for (var i = 0; i < Words.Length; i++)
        {
            Words[i] &= other.Words[i];
        }
    }

    public void Or(SlotBits other)
    {
        for (var i = 0; i < Words.Length; i++)
        {
            Words[i] |= other.Words[i];
        }
    }

    public void AndNot(SlotBits other)
    {
        for (var i = 0; i < Words.Length; i++)
        {
            Words[i] &= ~other.Words[i];
        }
    }

    /// <summary>Returns the slots in ascending order.</summary>
    public int[] ToSlots()
    {
        var slots = new int[Cardinality];
        var next = 0;
        for (var i = 0; i < Words.Length; i++)
        {
            for (var word = Words[i]; word != 0; word &= word - 1)
            {
                slots[next++] = (i * 64) + BitOperations.TrailingZeroCount(word);
            }
        }

        return slots;
    }
}

/// <summary>The values of one indexed attribute by slot.</summary>
internal abstract class AttributeColumn(AttributeIndex index)
{
    public AttributeIndex Index { get; } = index;

    public static AttributeColumn New(AttributeIndex index) =>
        index.Attribute.Type == AttributeType.Text ? new TextColumn(index) : new NumberColumn(index);

    /// <summary>Makes room for a number of slots. Only then can the column be evaluated for as many.</summary>
    public abstract void Reserve(int count);

    /// <summary>Sets the value of a slot: a string, a double, or null.</summary>
    public abstract void Put(int slot, object? value);

    /// <summary>Removes a slot; the last one moves there.</summary>
    public abstract void Remove(int slot, int last);

    /// <summary>Sets the bits of the slots below <paramref name="count"/> for which the condition holds; the others are 0 before.</summary>
    public abstract void Evaluate(AttributeCondition condition, Span<ulong> bits, int count);

    // Slots above those with values hold the value for none.
    protected static void Resize<T>(ref T[] values, int count, T none)
    {
        if (count > values.Length)
        {
            var old = values.Length;
            Array.Resize(ref values, Math.Max(count, old + (old / 2) + 256));
            values.AsSpan(old).Fill(none);
        }
    }
}

/// <summary>Numbers, times, and Boolean values as 0 and 1; NaN for none.</summary>
internal sealed class NumberColumn(AttributeIndex index) : AttributeColumn(index)
{
    private double[] _values = [];

    public override void Reserve(int count) => Resize(ref _values, count, double.NaN);

    public override void Put(int slot, object? value)
    {
        Reserve(slot + 1);
        _values[slot] = value is double number ? number : double.NaN;
    }

    public override void Remove(int slot, int last)
    {
        Reserve(last + 1);
        _values[slot] = _values[last];
        _values[last] = double.NaN;
    }

    public override void Evaluate(AttributeCondition condition, Span<ulong> bits, int count)
    {
        var values = _values.AsSpan(0, count);
        switch (condition)
        {
            case { NumberIn: { } numbers }:
                var set = numbers.ToHashSet();
                for (var i = 0; i < count; i++)
                {
                    bits[i / 64] |= (set.Contains(values[i]) ? 1UL : 0) << (i % 64);
                }

                break;
            case { Number: { } number }:
                Between(values, number, number, bits);
                break;
            case { Flag: { } flag }:
                Between(values, flag ? 1 : 0, flag ? 1 : 0, bits);
                break;
            case { Time: { } time }:
                Between(values, time.First, time.Last, bits);
                break;
            case { Range: { } range }:
                // Between two neighboring doubles there is none, so that every bound can be inclusive.
                var low = Math.Max(range.Gte ?? double.NegativeInfinity, range.Gt is { } gt ? Math.BitIncrement(gt) : double.NegativeInfinity);
                var high = Math.Min(range.Lte ?? double.PositiveInfinity, range.Lt is { } lt ? Math.BitDecrement(lt) : double.PositiveInfinity);
                Between(values, low, high, bits);
                break;
            default:
                throw new ArgumentException("The condition must be one of the column's type.", nameof(condition));
        }
    }

    private static void Between(ReadOnlySpan<double> values, double low, double high, Span<ulong> bits)
    {
        ref var first = ref MemoryMarshal.GetReference(values);
        var (lows, highs) = (Vector256.Create(low), Vector256.Create(high));
        var i = 0;
        for (; i + 64 <= values.Length; i += 64)
        {
            var word = 0UL;
            for (var part = 0; part < 64; part += Vector256<double>.Count)
            {
                var some = Vector256.LoadUnsafe(ref first, (nuint)(i + part));
                var isIn = Vector256.GreaterThanOrEqual(some, lows) & Vector256.LessThanOrEqual(some, highs);
                word |= (ulong)isIn.ExtractMostSignificantBits() << part;
            }

            bits[i / 64] = word;
        }

        for (; i < values.Length; i++)
        {
            bits[i / 64] |= (values[i] >= low && values[i] <= high ? 1UL : 0) << (i % 64);
        }
    }
}

/// <summary>Texts: a code per slot, and each text once; 0 for none.</summary>
internal sealed class TextColumn(AttributeIndex index) : AttributeColumn(index)
{
    private readonly Dictionary<string, int> _codes = new(StringComparer.Ordinal);
    private readonly List<(string? Text, int Uses)> _texts = [(null, 0)];
    private readonly Stack<int> _free = [];
    private int[] _values = [];

    public override void Reserve(int count) => Resize(ref _values, count, 0);

    public override void Put(int slot, object? value)
    {
        Reserve(slot + 1);
        // In this order, so that a text that stays is not forgotten.
        var code = value is string text ? Take(text) : 0;
        Release(_values[slot]);
        _values[slot] = code;
    }

    public override void Remove(int slot, int last)
    {
        Reserve(last + 1);
        Release(_values[slot]);
        _values[slot] = slot == last ? 0 : _values[last];
        _values[last] = 0;
    }

    public override void Evaluate(AttributeCondition condition, Span<ulong> bits, int count)
    {
        var values = _values.AsSpan(0, count);
        switch (condition)
        {
            case { Text: { } text }:
                if (_codes.TryGetValue(text, out var code))
                {
                    Equal(values, code, bits);
                }

                break;
            case { TextIn: { } texts }:
                var wanted = new bool[_texts.Count];
                foreach (var text in texts)
                {
                    wanted[_codes.GetValueOrDefault(text)] = true;
                }

                wanted[0] = false;
                Among(values, wanted, bits);
                break;
            case { Prefix: { } prefix }:
                var starting = new bool[_texts.Count];
                for (var i = 1; i < starting.Length; i++)
                {
                    starting[i] = _texts[i].Text?.StartsWith(prefix, StringComparison.Ordinal) is true;
                }

                Among(values, starting, bits);
                break;
            default:
                throw new ArgumentException("The condition must be one of the column's type.", nameof(condition));
        }
    }

    private static void Equal(ReadOnlySpan<int> values, int code, Span<ulong> bits)
    {
        ref var first = ref MemoryMarshal.GetReference(values);
        var codes = Vector256.Create(code);
        var i = 0;
        for (; i + 64 <= values.Length; i += 64)
        {
            var word = 0UL;
            for (var part = 0; part < 64; part += Vector256<int>.Count)
            {
                var isEqual = Vector256.Equals(Vector256.LoadUnsafe(ref first, (nuint)(i + part)), codes);
                word |= (ulong)isEqual.ExtractMostSignificantBits() << part;
            }

            bits[i / 64] = word;
        }

        for (; i < values.Length; i++)
        {
            bits[i / 64] |= (values[i] == code ? 1UL : 0) << (i % 64);
        }
    }

    private static void Among(ReadOnlySpan<int> values, bool[] codes, Span<ulong> bits)
    {
        for (var i = 0; i < values.Length; i++)
        {
            bits[i / 64] |= (codes[values[i]] ? 1UL : 0) << (i % 64);
        }
    }

    private int Take(string text)
    {
        if (!_codes.TryGetValue(text, out var code))
        {
            if (!_free.TryPop(out code))
            {
                code = _texts.Count;
                _texts.Add(default);
            }

            _codes.Add(text, code);
            _texts[code] = (text, 0);
        }

        _texts[code] = (_texts[code].Text, _texts[code].Uses + 1);
        return code;
    }

    private void Release(int code)
    {
        if (code == 0)
        {
            return;
        }

        var (text, uses) = _texts[code];
        if (uses == 1)
        {
            // Nothing of deleted points stays in memory.
            _codes.Remove(text!);
            _texts[code] = default;
            _free.Push(code);
        }
        else
        {
            _texts[code] = (text, uses - 1);
        }
    }
}
