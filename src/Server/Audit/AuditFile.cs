using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Embeddings.Primitives.Auditing;
using Microsoft.Win32.SafeHandles;

namespace Embeddings.Server.Audit;

/// <summary>
/// The files of the audit log: appends groups of lines, rotates, and continues the chain after a restart. Used by one thread at
/// a time, except <see cref="Sync"/>.
/// </summary>
internal sealed class AuditFile : IDisposable
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly Lock _handleLock = new();
    private readonly AuditOptions _options;
    private readonly AuditChain _chain;
    private readonly TimeProvider _time;
    private readonly ArrayBufferWriter<byte> _group = new();
    private readonly ArrayBufferWriter<byte> _line = new();
    private readonly Utf8JsonWriter _json;
    private SafeFileHandle? _file;
    private SafeFileHandle? _head;
    private long _length;
    private long _number;
    private byte[] _hash = AuditChain.Start;
    private bool _isDirty;
    private bool _mustCut;

    /// <summary>Opens the log, and writes a line that says so.</summary>
    /// <exception cref="InvalidDataException">The key is too short, or the end of the log does not verify.</exception>
    public AuditFile(AuditOptions options, TimeProvider time)
    {
        _options = options;
        _time = time;
        _chain = new(options.KeyFile.Length > 0 ? AuditChain.ReadKey(options.KeyFile) : null);
        _json = new(_line);
        Path = System.IO.Path.GetFullPath(options.File);
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(Path)!);
        Open();
        try
        {
            Recovery = Continue();
            List<AuditRecord> records = [new("opened", time.GetUtcNow()) { Numbers = [("keyed", options.KeyFile.Length > 0 ? 1 : 0)] }];
            if (Recovery is { } recovery)
            {
                records.Insert(0, new(AuditLine.Recovered, time.GetUtcNow())
                {
                    Numbers = [("cut_bytes", recovery.CutBytes), ("missing_lines", recovery.MissingLines)],
                });
            }
            Append(records);
            DeleteOld();
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The current file.</summary>
    public string Path { get; }

    /// <summary>The damage that the end of the process has left, or null.</summary>
    public (long CutBytes, long MissingLines)? Recovery { get; }

    /// <summary>Appends lines with one write: all of them, or none with an exception.</summary>
    public void Append(IEnumerable<AuditRecord> records)
    {
        if (_file is null or { IsClosed: true })
        {
            Open();
        }
        if (_length >= _options.MaxFileBytes)
        {
            Rotate();
        }
        if (_mustCut)
        {
            // A part of a line may have been written.
            RandomAccess.SetLength(_file!, _length);
            _mustCut = false;
        }
        var (number, hash) = (_number, _hash);
        _group.ResetWrittenCount();
        foreach (var record in records)
        {
            (var line, hash) = Seal(record, ++number, hash);
            _group.Write(line);
        }
        _mustCut = true;
        RandomAccess.Write(_file!, _group.WrittenSpan, _length);
        _mustCut = false;
        (_number, _hash) = (number, hash);
        _length += _group.WrittenCount;
        Volatile.Write(ref _isDirty, true);
        WriteHead();
    }

    /// <summary>Forces what was appended to the disk. May be called by any thread.</summary>
    public void Sync()
    {
        lock (_handleLock)
        {
            if (_file is { IsClosed: false } && Volatile.Read(ref _isDirty))
            {
                Volatile.Write(ref _isDirty, false);
                RandomAccess.FlushToDisk(_file);
            }
        }
    }

    public void Dispose()
    {
        lock (_handleLock)
        {
            _file?.Dispose();
            _head?.Dispose();
        }
        _json.Dispose();
    }

    // Not append mode: after a failed write, the next one must be at the same position.
    private static SafeFileHandle OpenFile(string path)
    {
        if (OperatingSystem.IsWindows() || File.Exists(path))
        {
            return File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
        }
        using (new FileStream(path, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            UnixCreateMode = OwnerOnly,
        }))
        {
        }
        return File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.Read);
    }

    private void Open()
    {
        lock (_handleLock)
        {
            _file = OpenFile(Path);
            _length = RandomAccess.GetLength(_file);
            _head ??= OpenFile(AuditHead.PathOf(Path));
        }
    }

    private (byte[] Line, byte[] Hash) Seal(AuditRecord record, long number, byte[] previous)
    {
        _line.ResetWrittenCount();
        _json.Reset();
        record.Write(_json, number);
        _json.Flush();
        return _chain.Seal(_line.WrittenSpan[..^1], previous);
    }

    // Its length never changes, so that there is space on a full disk.
    private void WriteHead()
    {
        try
        {
            RandomAccess.Write(_head!, Encoding.ASCII.GetBytes(new AuditHead(_number, Convert.ToHexStringLower(_hash)).ToString()), 0);
        }
        catch (IOException)
        {
            // The lines are written; a head that is older is allowed, and the next group writes it again.
        }
    }

    /// <summary>Continues after the last complete line; returns what is missing after it.</summary>
    private (long CutBytes, long MissingLines)? Continue()
    {
        var last = LastLine(_file!, _length);
        var cut = _length - (last?.End ?? 0);
        if (last is null)
        {
            // A rotation was interrupted, or the process was killed before the first line.
            last = Rotated().LastOrDefault() is { } rotated ? LastLineOf(rotated) : null;
        }
        if (last is { } found)
        {
            var line = AuditLine.Read(found.Line);
            if (line is null || !_chain.IsIntact(found.Line))
            {
                throw new InvalidDataException(
                    $"The last line of the audit log '{Path}' does not verify: it was changed, or was written with another key "
                        + "(Audit:KeyFile). Restore the key, or move the files of the log away.");
            }
            _number = line.Number;
            _hash = AuditChain.Hashes(found.Line)!.Value.Hash;
        }
        if (cut > 0)
        {
            _length -= cut;
            RandomAccess.SetLength(_file!, _length);
        }
        var missing = Math.Max(0, (AuditHead.Read(AuditHead.PathOf(Path))?.Number ?? 0) - _number);
        return cut > 0 || missing > 0 ? (cut, missing) : null;
    }

    private static (byte[] Line, long End)? LastLineOf(string path)
    {
        using var file = File.OpenHandle(path);
        return LastLine(file, RandomAccess.GetLength(file));
    }

    // Lines are short, apart from the names of collections.
    private static (byte[] Line, long End)? LastLine(SafeFileHandle file, long length)
    {
        for (var size = 64L << 10; ; size *= 4)
        {
            var begin = Math.Max(0, length - size);
            var buffer = new byte[length - begin];
            var read = 0;
            while (read < buffer.Length)
            {
                var more = RandomAccess.Read(file, buffer.AsSpan(read), begin + read);
                if (more == 0)
                {
                    break;
                }
                read += more;
            }
            var end = buffer.AsSpan(0, read).LastIndexOf((byte)'\n');
            var start = end < 0 ? -1 : buffer.AsSpan(0, end).LastIndexOf((byte)'\n');
            if (end >= 0 && (start >= 0 || begin == 0))
            {
                return (buffer[(start + 1)..end], begin + end + 1);
            }
            if (begin == 0)
            {
                return null;
            }
        }
    }

    private void Rotate()
    {
        Sync();
        lock (_handleLock)
        {
            // Opened again by the next write if a step fails.
            _file!.Dispose();
            File.Move(Path, System.IO.Path.Combine(
                System.IO.Path.GetDirectoryName(Path)!,
                string.Create(CultureInfo.InvariantCulture, $"{Stem}-{_number:D12}{System.IO.Path.GetExtension(Path)}")));
            Open();
        }
        DeleteOld();
    }

    private string Stem => System.IO.Path.GetFileNameWithoutExtension(Path);

    // In the order of their lines.
    private List<string> Rotated() =>
    [
        .. Directory.EnumerateFiles(System.IO.Path.GetDirectoryName(Path)!, $"{Stem}-*{System.IO.Path.GetExtension(Path)}")
            .Where(file => long.TryParse(
                System.IO.Path.GetFileNameWithoutExtension(file)[(Stem.Length + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out _))
            .OrderBy(static file => file.Length)
            .ThenBy(static file => file, StringComparer.Ordinal),
    ];

    private void DeleteOld()
    {
        var rotated = Rotated();
        var tooMany = _options.MaxFiles > 0 ? Math.Max(0, rotated.Count + 1 - _options.MaxFiles) : 0;
        var oldest = _options.MaxAgeDays > 0 ? _time.GetUtcNow().UtcDateTime.AddDays(-_options.MaxAgeDays) : DateTime.MinValue;
        for (var i = 0; i < rotated.Count; i++)
        {
            if (i < tooMany || File.GetLastWriteTimeUtc(rotated[i]) < oldest)
            {
                File.Delete(rotated[i]);
            }
        }
    }
}
