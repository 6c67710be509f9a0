using System.Globalization;
using System.Text.Json;

namespace Embeddings.Primitives.Auditing;

/// <summary>A finding in an audit log.</summary>
/// <param name="File">The file.</param>
/// <param name="Line">The line, from 1; 0 for the file as a whole.</param>
/// <param name="What">A sentence.</param>
internal sealed record AuditFinding(string File, long Line, string What)
{
    public override string ToString() =>
        Line == 0 ? $"{File}: {What}" : string.Create(CultureInfo.InvariantCulture, $"{File}, line {Line}: {What}");
}

/// <summary>The result of a verification.</summary>
/// <param name="Lines">Number of intact lines.</param>
/// <param name="First">Number of the first line, from 1; 0 if there is none.</param>
/// <param name="Last">Number of the last line.</param>
/// <param name="Hash">The hash of the last line, in hexadecimal.</param>
/// <param name="Problems">Lines that were changed, removed, inserted, or reordered.</param>
/// <param name="Notes">Lines that the server itself has reported as lost.</param>
internal sealed record AuditReport(
    long Lines,
    long First,
    long Last,
    string Hash,
    IReadOnlyList<AuditFinding> Problems,
    IReadOnlyList<AuditFinding> Notes)
{
    public bool IsIntact => Problems.Count == 0;
}

/// <summary>The fields of a line that the chain needs.</summary>
/// <param name="Number">Its number, from 1.</param>
/// <param name="Event">Its kind.</param>
/// <param name="Text">Its statement about lines that are missing; empty for all other kinds.</param>
internal sealed record AuditLine(long Number, string Event, string Text)
{
    /// <summary>Events that report lines that are missing.</summary>
    public const string Recovered = "recovered";

    /// <inheritdoc cref="Recovered"/>
    public const string Lost = "lost";

    /// <summary>Reads a line without its line break; null if it is not a line of an audit log.</summary>
    public static AuditLine? Read(ReadOnlySpan<byte> line)
    {
        try
        {
            var reader = new Utf8JsonReader(line);
            using var json = JsonDocument.ParseValue(ref reader);
            if (reader.BytesConsumed != line.Length)
            {
                return null;
            }
            var root = json.RootElement;
            var kind = root.GetProperty("event").GetString()!;
            var text = kind switch
            {
                Recovered => "the server was killed while it wrote: "
                    + $"{root.GetProperty("cut_bytes").GetInt64()} bytes of an incomplete line were cut off, "
                    + $"{root.GetProperty("missing_lines").GetInt64()} lines of the head file are missing.",
                Lost => $"the server could not write {root.GetProperty("lines").GetInt64()} lines before this one.",
                _ => "",
            };
            return new(root.GetProperty("seq").GetInt64(), kind, text);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            return null;
        }
    }
}

/// <summary>The position of the end of an audit log, in the head file next to it.</summary>
/// <param name="Number">Number of the last line.</param>
/// <param name="Hash">Its hash, in hexadecimal.</param>
internal sealed record AuditHead(long Number, string Hash)
{
    /// <summary>Returns the path of the head file.</summary>
    public static string PathOf(string file) => file + ".head";

    /// <summary>Reads a head file; null if there is none or it is incomplete.</summary>
    public static AuditHead? Read(string path)
    {
        if (!File.Exists(path))
        {
            return null;
        }
        return File.ReadAllText(path).Split(' ', StringSplitOptions.TrimEntries) is [var number, var hash]
            && long.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var value)
            && hash.Length == 2 * AuditChain.HashBytes
            ? new(value, hash)
            : null;
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Number:D19} {Hash}\n");
}

/// <summary>Verifies the files of an audit log: finds changed, removed, inserted, reordered, and cut lines.</summary>
internal static class AuditVerifier
{
    // More would only repeat what the first ones say.
    private const int MaxProblems = 100;

    /// <summary>Verifies the files, in the order of their first lines.</summary>
    /// <param name="files">The files of one log.</param>
    /// <param name="key">The key of the log, or null if it has none.</param>
    /// <param name="expected">The hash that the log must contain, in hexadecimal, or null.</param>
    /// <param name="cancellationToken">Ends the verification.</param>
    public static AuditReport Verify(
        IReadOnlyList<string> files, byte[]? key, string? expected, CancellationToken cancellationToken)
    {
        var run = new Run(key, expected);
        var ordered = files.Select(file => (File: file, First: FirstNumber(file))).OrderBy(entry => entry.First).ToList();
        foreach (var (file, _) in ordered)
        {
            run.Read(file, cancellationToken);
        }
        return run.End(ordered.Count > 0 ? ordered[^1].File : "");
    }

    private static long FirstNumber(string file)
    {
        using var reader = new AuditFileReader(file);
        return reader.TryRead(out var line, out _) && AuditLine.Read(line) is { } first ? first.Number : long.MaxValue;
    }

    private sealed class Run(byte[]? key, string? expected)
    {
        private readonly AuditChain _chain = new(key);
        private readonly List<AuditFinding> _problems = [];
        private readonly List<AuditFinding> _notes = [];
        private readonly Dictionary<long, string> _heads = [];
        private byte[]? _previous;
        private long _lines;
        private long _first;
        private long _last;
        private bool _isExpected;

        public void Read(string file, CancellationToken cancellationToken)
        {
            var head = AuditHead.Read(AuditHead.PathOf(file));
            using var reader = new AuditFileReader(file);
            var number = 0L;
            while (reader.TryRead(out var line, out var isComplete))
            {
                cancellationToken.ThrowIfCancellationRequested();
                number++;
                Check(file, number, line, isComplete);
                if (head is not null && head.Number == _last)
                {
                    _heads[_last] = _previous is null ? "" : Convert.ToHexStringLower(_previous);
                }
            }
            if (number == 0)
            {
                Add(file, 0, "the file is empty.");
            }
            if (head is not null)
            {
                CheckHead(file, head);
            }
        }

        public AuditReport End(string lastFile)
        {
            var hash = _previous is null ? "" : Convert.ToHexStringLower(_previous);
            if (expected is not null && !_isExpected)
            {
                Add(lastFile, 0, $"no line has the expected hash {expected}: lines at the end are missing or were changed.");
            }
            return new(_lines, _first, _last, hash, _problems, _notes);
        }

        private void Check(string file, long number, ReadOnlySpan<byte> line, bool isComplete)
        {
            if (!isComplete)
            {
                Add(file, number, "the line is cut off.");
                return;
            }
            if (AuditChain.Hashes(line) is not { } hashes || AuditLine.Read(line) is not { } read)
            {
                Add(file, number, "this is not a line of an audit log; it was changed or inserted.");
                return;
            }
            var isIntact = _chain.IsIntact(line);
            if (!isIntact)
            {
                Add(file, number, key is null
                    ? $"the line (seq {read.Number}) was changed: its hash does not match, or the log has a key."
                    : $"the line (seq {read.Number}) was changed: its hash does not match, or the key is another one.");
            }
            if (_previous is not null && (!hashes.Previous.AsSpan().SequenceEqual(_previous) || read.Number != _last + 1))
            {
                Add(file, number, read.Number switch
                {
                    var seq when seq == _last + 2 => $"the line with seq {_last + 1} before it is missing.",
                    var seq when seq > _last + 2 => $"the lines with seq {_last + 1} to {seq - 1} before it are missing.",
                    var seq when seq <= _last => $"the line (seq {seq}) was inserted, repeated, or moved: the line before it has seq {_last}.",
                    var seq => $"the line (seq {seq}) does not follow the line before it, which was replaced or changed.",
                });
            }
            else if (_previous is null && read.Number > 1)
            {
                _notes.Add(new(file, number, $"the log begins with seq {read.Number}; earlier files were not given."));
            }
            if (read.Text.Length > 0)
            {
                _notes.Add(new(file, number, read.Text));
            }
            _first = _first == 0 ? read.Number : _first;
            _last = read.Number;
            _previous = hashes.Hash;
            _lines += isIntact ? 1 : 0;
            _isExpected |= expected is not null && Convert.ToHexStringLower(hashes.Hash).Equals(expected, StringComparison.OrdinalIgnoreCase);
        }

        // The head file is written after the lines, so it may be older.
        private void CheckHead(string file, AuditHead head)
        {
            if (head.Number > _last)
            {
                Add(file, 0, $"the head file names seq {head.Number}, but the last line has seq {_last}: lines at the end are missing.");
            }
            else if (_heads.TryGetValue(head.Number, out var hash) && hash != head.Hash)
            {
                Add(file, 0, $"the head file has another hash for seq {head.Number}: the log was replaced from there or before.");
            }
        }

        private void Add(string file, long line, string what)
        {
            if (_problems.Count < MaxProblems)
            {
                _problems.Add(new(file, line, what));
            }
        }
    }
}

/// <summary>Reads the lines of a file as bytes.</summary>
internal sealed class AuditFileReader(string file) : IDisposable
{
    private readonly FileStream _file = new(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, 0);
    private byte[] _buffer = new byte[64 << 10];
    private int _begin;
    private int _end;

    /// <summary>Reads the next line without its line break; <paramref name="isComplete"/> is false if it has none.</summary>
    public bool TryRead(out ReadOnlySpan<byte> line, out bool isComplete)
    {
        while (true)
        {
            var rest = _buffer.AsSpan(_begin, _end - _begin);
            var length = rest.IndexOf((byte)'\n');
            if (length >= 0)
            {
                line = rest[..length];
                isComplete = true;
                _begin += length + 1;
                return true;
            }
            rest.CopyTo(_buffer);
            (_begin, _end) = (0, rest.Length);
            if (_end == _buffer.Length)
            {
                Array.Resize(ref _buffer, 2 * _buffer.Length);
            }
            var read = _file.Read(_buffer.AsSpan(_end));
            if (read == 0)
            {
                line = _buffer.AsSpan(0, _end);
                isComplete = false;
                _begin = _end;
                return !line.IsEmpty;
            }
            _end += read;
        }
    }

    public void Dispose() => _file.Dispose();
}
