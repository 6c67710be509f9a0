using System.Buffers.Binary;

namespace Embeddings.Core.Imaging;

/// <summary>
/// Decides whether a JPEG file contains the data of all its pixels. The decoder fills missing data with gray and only warns,
/// with the same warning for what is harmless: stray bytes before a marker, or wrong parameters in a scan's header. This
/// reads the entropy-coded data again, without computing pixels, and only for files about which the decoder has warned.
/// </summary>
internal ref struct JpegData
{
    private const int Coefficients = 64;
    private const int Incomplete = -1;

    private readonly ReadOnlySpan<byte> _file;
    private readonly bool _decodes;
    private readonly CancellationToken _cancellation;
    private readonly JpegHuffmanTable?[] _dc = [JpegHuffmanTable.LuminanceDc, JpegHuffmanTable.ChrominanceDc, null, null];
    private readonly JpegHuffmanTable?[] _ac = [JpegHuffmanTable.LuminanceAc, JpegHuffmanTable.ChrominanceAc, null, null];

    private Component[] _components = [];
    private bool _isProgressive;
    private int _width;
    private int _height;
    private int _restartInterval;
    private int _at = 2;
    private ulong _bits;
    private int _bitCount;
    private int _endOfBandRun;

    private JpegData(ReadOnlySpan<byte> file, bool decodes, CancellationToken cancellation)
    {
        _file = file;
        _decodes = decodes;
        _cancellation = cancellation;
    }

    /// <summary>True if the scans of the file cover all coefficients of all components, whatever their data is.</summary>
    public static bool HasAllScans(ReadOnlySpan<byte> file) => new JpegData(file, decodes: false, default).Read();

    /// <summary>True if the file has all scans and each of them has the data of all its blocks.</summary>
    public static bool IsComplete(ReadOnlySpan<byte> file, CancellationToken cancellationToken) =>
        new JpegData(file, decodes: true, cancellationToken).Read();

    private bool Read()
    {
        while (NextMarker() is var marker and not (Marker.None or Marker.EndOfImage))
        {
            if (marker is Marker.StartOfImage or Marker.Temporary or (>= Marker.Restart0 and <= Marker.Restart7))
            {
                continue;
            }
            if (!TryReadSegment(out var segment) || !TryRead(marker, segment))
            {
                return false;
            }
            if (!_isProgressive && AllCovered())
            {
                return true;
            }
        }
        return AllCovered();
    }

    private bool TryRead(Marker marker, ReadOnlySpan<byte> segment)
    {
        switch (marker)
        {
            case Marker.Frame or Marker.ExtendedFrame or Marker.ProgressiveFrame:
                _isProgressive = marker == Marker.ProgressiveFrame;
                return TryReadFrame(segment);
            case Marker.HuffmanTables:
                return TryReadTables(segment);
            case Marker.RestartInterval:
                _restartInterval = segment.Length >= 2 ? BinaryPrimitives.ReadUInt16BigEndian(segment) : 0;
                return true;
            case Marker.Scan:
                return TryReadScan(segment);
            default:
                // Frames of other kinds: lossless, hierarchical, arithmetic coding.
                return marker is not (>= Marker.Frame and <= Marker.LastFrame)
                    || marker is Marker.Extension or Marker.ArithmeticConditioning;
        }
    }

    private readonly bool AllCovered()
    {
        foreach (var component in _components)
        {
            if (component.Precision.AsSpan().ContainsAnyExcept((sbyte)0))
            {
                return false;
            }
        }
        return _components.Length > 0;
    }

    // Bytes before a marker are skipped, as decoders do.
    private Marker NextMarker()
    {
        while (_at < _file.Length)
        {
            var next = _file[_at..].IndexOf((byte)0xFF);
            if (next < 0)
            {
                break;
            }
            _at += next + 1;
            if (_at < _file.Length && _file[_at] is not (0 or 0xFF))
            {
                return (Marker)_file[_at++];
            }
        }
        _at = _file.Length;
        return Marker.None;
    }

    private bool TryReadSegment(out ReadOnlySpan<byte> segment)
    {
        segment = default;
        if (_file.Length - _at < 2)
        {
            return false;
        }
        var length = BinaryPrimitives.ReadUInt16BigEndian(_file[_at..]);
        if (length < 2 || length > _file.Length - _at)
        {
            return false;
        }
        segment = _file.Slice(_at + 2, length - 2);
        _at += length;
        return true;
    }

    private bool TryReadFrame(ReadOnlySpan<byte> segment)
    {
        if (segment.Length < 6 || segment.Length < 6 + (3 * segment[5]) || _components.Length > 0)
        {
            return false;
        }
        _height = BinaryPrimitives.ReadUInt16BigEndian(segment[1..]);
        _width = BinaryPrimitives.ReadUInt16BigEndian(segment[3..]);
        _components = new Component[segment[5]];
        for (var i = 0; i < _components.Length; i++)
        {
            var entry = segment.Slice(6 + (3 * i), 3);
            _components[i] = new(entry[0], entry[1] >> 4, entry[1] & 15);
            if (_components[i] is { Across: < 1 or > 4 } or { Down: < 1 or > 4 })
            {
                return false;
            }
        }
        return true;
    }

    private readonly bool TryReadTables(ReadOnlySpan<byte> segment)
    {
        while (segment.Length >= 17)
        {
            var (kind, number) = (segment[0] >> 4, segment[0] & 15);
            var counts = segment.Slice(1, 16);
            var symbols = 0;
            foreach (var count in counts)
            {
                symbols += count;
            }
            if (kind > 1 || number > 3 || symbols > 256 || segment.Length < 17 + symbols)
            {
                return false;
            }
            (kind == 0 ? _dc : _ac)[number] = new(counts, segment.Slice(17, symbols));
            segment = segment[(17 + symbols)..];
        }
        return true;
    }

    private bool TryReadScan(ReadOnlySpan<byte> segment)
    {
        var count = segment.IsEmpty ? 0 : segment[0];
        if (count is < 1 or > 4 || segment.Length < 4 + (2 * count))
        {
            return false;
        }
        var parameters = segment[(1 + (2 * count))..];
        var last = Math.Min(parameters[1], (byte)(Coefficients - 1));
        var scan = new Scan(parameters[0], last, parameters[2] >> 4, parameters[2] & 15);
        if (!_isProgressive)
        {
            // A sequential scan always has all coefficients; some cameras write something else here.
            scan = new Scan(0, Coefficients - 1, 0, 0);
        }
        var components = new Component[count];
        for (var i = 0; i < count; i++)
        {
            var id = segment[1 + (2 * i)];
            var tables = segment[2 + (2 * i)];
            if (Array.Find(_components, c => c.Id == id) is not { } component)
            {
                return false;
            }
            components[i] = component;
            component.Dc = _dc[(tables >> 4) & 3];
            component.Ac = _ac[tables & 3];
            for (var k = scan.Start; k <= scan.End; k++)
            {
                component.Precision[k] = (sbyte)scan.Low;
            }
        }
        return !_decodes || TryDecode(scan, components);
    }

    private bool TryDecode(Scan scan, Component[] components)
    {
        var across = 1;
        var down = 1;
        foreach (var component in _components)
        {
            across = Math.Max(across, component.Across);
            down = Math.Max(down, component.Down);
        }
        var columns = DivideUp(_width, 8 * across);
        var rows = DivideUp(_height, 8 * down);
        if (_isProgressive)
        {
            foreach (var component in components)
            {
                component.Stride = columns * component.Across;
                component.NonZero ??= new ulong[component.Stride * rows * component.Down];
            }
        }
        if (components.Length == 1)
        {
            // A scan of one component has no blocks beyond its edge.
            columns = DivideUp(DivideUp(_width * components[0].Across, across), 8);
            rows = DivideUp(DivideUp(_height * components[0].Down, down), 8);
        }
        Restart();
        var unit = 0;
        for (var row = 0; row < rows; row++)
        {
            _cancellation.ThrowIfCancellationRequested();
            for (var column = 0; column < columns; column++, unit++)
            {
                if (_restartInterval > 0 && unit > 0 && unit % _restartInterval == 0 && !TryRestart(unit / _restartInterval))
                {
                    return false;
                }
                if (!TryDecodeUnit(scan, components, column, row))
                {
                    return false;
                }
            }
        }
        return true;
    }

    private bool TryRestart(int number)
    {
        Restart();
        return NextMarker() == (Marker)((int)Marker.Restart0 + ((number - 1) % 8));
    }

    private void Restart()
    {
        _bits = 0;
        _bitCount = 0;
        _endOfBandRun = 0;
    }

    private bool TryDecodeUnit(Scan scan, Component[] components, int column, int row)
    {
        if (components is [var single])
        {
            return TryDecodeBlock(scan, single, column, row);
        }
        foreach (var component in components)
        {
            for (var y = 0; y < component.Down; y++)
            {
                for (var x = 0; x < component.Across; x++)
                {
                    if (!TryDecodeBlock(scan, component, (column * component.Across) + x, (row * component.Down) + y))
                    {
                        return false;
                    }
                }
            }
        }
        return true;
    }

    private bool TryDecodeBlock(Scan scan, Component component, int column, int row)
    {
        if (!_isProgressive)
        {
            return TryDecodeDc(component) && TryDecodeAc(component);
        }
        if (scan.Start == 0)
        {
            return scan.High == 0 ? TryDecodeDc(component) : TrySkip(1);
        }
        ref var nonZero = ref component.NonZero![(row * component.Stride) + column];
        return scan.High == 0
            ? TryDecodeBand(scan, component, ref nonZero)
            : TryRefineBand(scan, component, ref nonZero);
    }

    private bool TryDecodeDc(Component component) => TryDecode(component.Dc, out var bits) && TrySkip(bits);

    private bool TryDecodeAc(Component component)
    {
        for (var k = 1; k < Coefficients; k++)
        {
            if (!TryDecode(component.Ac, out var symbol) || !TrySkip(symbol & 15))
            {
                return false;
            }
            var run = symbol >> 4;
            if ((symbol & 15) == 0 && run < 15)
            {
                break;
            }
            k += run;
        }
        return true;
    }

    private bool TryDecodeBand(Scan scan, Component component, ref ulong nonZero)
    {
        if (_endOfBandRun > 0)
        {
            _endOfBandRun--;
            return true;
        }
        for (var k = scan.Start; k <= scan.End; k++)
        {
            if (!TryDecode(component.Ac, out var symbol))
            {
                return false;
            }
            var run = symbol >> 4;
            if ((symbol & 15) == 0 && run < 15)
            {
                return TryReadRun(run);
            }
            k += run;
            if ((symbol & 15) != 0)
            {
                nonZero |= 1UL << k;
                if (!TrySkip(symbol & 15))
                {
                    return false;
                }
            }
        }
        return true;
    }

    // One bit for every coefficient that is not zero already; new ones have their sign.
    private bool TryRefineBand(Scan scan, Component component, ref ulong nonZero)
    {
        var k = scan.Start;
        if (_endOfBandRun == 0)
        {
            for (; k <= scan.End; k++)
            {
                if (!TryDecode(component.Ac, out var symbol))
                {
                    return false;
                }
                var run = symbol >> 4;
                var isNew = (symbol & 15) != 0;
                if (!isNew && run < 15)
                {
                    if (!TryReadRun(run))
                    {
                        return false;
                    }
                    _endOfBandRun++;
                    break;
                }
                if (isNew && !TrySkip(1))
                {
                    return false;
                }
                while (k <= scan.End)
                {
                    if ((nonZero >> k & 1) == 0)
                    {
                        if (run == 0)
                        {
                            break;
                        }
                        run--;
                    }
                    else if (!TrySkip(1))
                    {
                        return false;
                    }
                    k++;
                }
                if (isNew && k <= scan.End)
                {
                    nonZero |= 1UL << k;
                }
            }
        }
        if (_endOfBandRun == 0)
        {
            return true;
        }
        _endOfBandRun--;
        for (; k <= scan.End; k++)
        {
            if ((nonZero >> k & 1) != 0 && !TrySkip(1))
            {
                return false;
            }
        }
        return true;
    }

    // The number of further blocks without coefficients in this band.
    private bool TryReadRun(int bits)
    {
        Fill();
        if (_bitCount < bits)
        {
            return false;
        }
        _endOfBandRun = (1 << bits) + (int)(Peek16() >> (16 - bits)) - 1;
        _bitCount -= bits;
        return true;
    }

    private bool TryDecode(JpegHuffmanTable? table, out int symbol)
    {
        Fill();
        symbol = 0;
        if (table is null || !table.TryDecode(Peek16(), out symbol, out var length) || length > _bitCount)
        {
            return false;
        }
        _bitCount -= length;
        return true;
    }

    private bool TrySkip(int bits)
    {
        Fill();
        _bitCount -= bits;
        return _bitCount >= 0;
    }

    // The next 16 bits, zeros after the end.
    private readonly uint Peek16() =>
        (uint)(_bitCount >= 16 ? _bits >> (_bitCount - 16) : _bits << (16 - _bitCount)) & 0xFFFF;

    // Stops at a marker.
    private void Fill()
    {
        while (_bitCount <= 32 && _at < _file.Length)
        {
            var value = _file[_at];
            if (value == 0xFF)
            {
                var next = _at + 1;
                while (next < _file.Length && _file[next] == 0xFF)
                {
                    next++;
                }
                if (next == _file.Length || _file[next] != 0)
                {
                    return;
                }
                _at = next;
            }
            _at++;
            _bits = (_bits << 8) | value;
            _bitCount += 8;
        }
    }

    private static int DivideUp(int value, int divisor) => (value + divisor - 1) / divisor;

    private enum Marker : byte
    {
        None = 0,
        Temporary = 0x01,
        Frame = 0xC0,
        ExtendedFrame = 0xC1,
        ProgressiveFrame = 0xC2,
        HuffmanTables = 0xC4,
        Extension = 0xC8,
        ArithmeticConditioning = 0xCC,
        LastFrame = 0xCF,
        Restart0 = 0xD0,
        Restart7 = 0xD7,
        StartOfImage = 0xD8,
        EndOfImage = 0xD9,
        Scan = 0xDA,
        RestartInterval = 0xDD,
    }

    private sealed class Component(byte id, int across, int down)
    {
        public byte Id { get; } = id;

        /// <summary>Blocks of an interleaved unit.</summary>
        public int Across { get; } = across;

        public int Down { get; } = down;

        public JpegHuffmanTable? Dc { get; set; }

        public JpegHuffmanTable? Ac { get; set; }

        /// <summary>Bits that are still missing of every coefficient.</summary>
        public sbyte[] Precision { get; } = [.. Enumerable.Repeat((sbyte)Incomplete, Coefficients)];

        /// <summary>For every block, a bit for each coefficient that is not zero.</summary>
        public ulong[]? NonZero { get; set; }

        public int Stride { get; set; }
    }

    private readonly record struct Scan(int Start, int End, int High, int Low);
}
