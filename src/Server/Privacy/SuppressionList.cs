using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Embeddings.Primitives;
using Embeddings.Storage;

namespace Embeddings.Server.Privacy;

/// <summary>Kind of the id of an entry in the suppression list.</summary>
internal enum SuppressedKind
{
    /// <summary>A job, in one collection or in all.</summary>
    Job,

    /// <summary>A point of a collection.</summary>
    Point,
}

/// <summary>A job or a point that must not be stored any more.</summary>
/// <param name="Kind">The kind.</param>
/// <param name="Collection">The collection; empty for all.</param>
/// <param name="Id">The job id or point id.</param>
internal readonly record struct SuppressedId(SuppressedKind Kind, string Collection, string Id);

/// <summary>
/// The suppression list: a file of JSON lines outside the store. It holds no ids, only their HMAC-SHA-256 with a random salt of
/// the file, so that the file does not reveal the ids. The first line has the salt. Thread-safe.
/// </summary>
internal sealed class SuppressionList : IDisposable
{
    private const int Version = 1;
    private const int SaltBytes = 32;

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    private readonly HashSet<Digest> _digests = [];
    private readonly ReaderWriterLockSlim _lock = new();
    private readonly Lock _writing = new();
    private readonly FileStream _locked;
    private readonly FileStream _file;
    private readonly string _path;
    private readonly TimeProvider _time;
    private byte[] _salt = [];

    private SuppressionList(string path, TimeProvider time)
    {
        _path = path;
        _time = time;
        var folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        Directory.CreateDirectory(folder);
        // Another file, because a lock of the list would keep backups from reading it.
        _locked = new(path + ".lock", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        try
        {
            _file = new(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite, 0);
            Load();
        }
        catch
        {
            _file?.Dispose();
            _locked.Dispose();
            throw;
        }
    }

    /// <summary>The number of entries.</summary>
    public int Count
    {
        get
        {
            lock (_writing)
            {
                return _digests.Count;
            }
        }
    }

    /// <summary>Opens the list, or creates it.</summary>
    /// <exception cref="InvalidDataException">The file is in use, cannot be read, or is not such a list.</exception>
    public static SuppressionList Open(string path, TimeProvider time)
    {
        try
        {
            return new(path, time);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InvalidDataException(
                $"The suppression list '{path}' cannot be opened: {e.Message} A server that uses it must be stopped.", e);
        }
    }

    /// <summary>Adds entries and returns when they are on disk. Returns the number of those that are new.</summary>
    public int Add(IEnumerable<SuppressedId> ids)
    {
        lock (_writing)
        {
            var added = new List<Digest>();
            var lines = new StringBuilder();
            var time = _time.GetUtcNow().ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);
            foreach (var id in ids)
            {
                var digest = DigestOf(id);
                if (!_digests.Contains(digest))
                {
                    added.Add(digest);
                    var entry = new Line { Kind = KindName(id.Kind), Digest = digest.ToString(), Time = time };
                    lines.Append(JsonSerializer.Serialize(entry, Json)).Append('\n');
                }
            }
            if (added.Count > 0)
            {
                Append(lines.ToString());
                _lock.EnterWriteLock();
                try
                {
                    _digests.UnionWith(added);
                }
                finally
                {
                    _lock.ExitWriteLock();
                }
            }
            return added.Count;
        }
    }

    /// <summary>Removes entries and returns the number of those that were on the list.</summary>
    public int Remove(IEnumerable<SuppressedId> ids)
    {
        lock (_writing)
        {
            var removed = ids.Select(DigestOf).Where(_digests.Contains).ToHashSet();
            if (removed.Count > 0)
            {
                Append(string.Concat(removed.Select(
                    digest => JsonSerializer.Serialize(new Line { Removed = digest.ToString() }, Json) + "\n")));
                _lock.EnterWriteLock();
                try
                {
                    _digests.ExceptWith(removed);
                }
                finally
                {
                    _lock.ExitWriteLock();
                }
            }
            return removed.Count;
        }
    }

    /// <summary>Returns true if points of a job must not be stored in a collection.</summary>
    public bool ContainsJob(string collection, string jobId) => Read(() => HasJob(collection, jobId));

    /// <summary>Returns true if a point must not be stored in a collection.</summary>
    public bool ContainsPoint(string collection, string pointId) => Read(() => HasPoint(collection, pointId));

    /// <summary>
    /// Passes points to a store if none of them is on the list; otherwise FAILED_PRECONDITION. No entry is added in between: a
    /// deletion that follows the entry also follows the points.
    /// </summary>
    public Task StoreAsync(string collection, IReadOnlyList<StoredPoint> points, Func<Task> store)
    {
        _lock.EnterReadLock();
        try
        {
            for (var i = 0; i < points.Count; i++)
            {
                if (HasPoint(collection, points[i].Id) || HasJob(collection, points[i].Payload.JobId))
                {
                    throw Refusal(collection, points[i].Id);
                }
            }
            return store();
        }
        finally
        {
            _lock.ExitReadLock();
        }
    }

    /// <summary>The error for a point that must not be stored.</summary>
    public static Fault Refusal(string collection, string pointId) =>
        new Fault(
            FaultKind.FailedPrecondition,
            Reasons.Suppressed,
            $"Point '{pointId}' of collection '{collection}', or its job, was deleted for good and must not be stored again. To "
            + "permit it, stop the server and run 'embeddings suppression remove'.",
            "point_id")
            .With(FaultKeys.Collection, collection)
            .With(FaultKeys.Point, pointId);

    public void Dispose()
    {
        _file.Dispose();
        _locked.Dispose();
        _lock.Dispose();
    }

    private bool Read(Func<bool> read)
    {
        _lock.EnterReadLock();
        try
        {
            return read();
        }
        finally
        {
            _lock.ExitReadLock();
        }
    }

    private bool HasPoint(string collection, string pointId) =>
        _digests.Count > 0 && _digests.Contains(DigestOf(new(SuppressedKind.Point, collection, pointId)));

    private bool HasJob(string collection, string jobId) =>
        _digests.Count > 0
        && jobId.Length > 0
        && (_digests.Contains(DigestOf(new(SuppressedKind.Job, "", jobId)))
            || _digests.Contains(DigestOf(new(SuppressedKind.Job, collection, jobId))));

    // The names of collections have no U+0000.
    private Digest DigestOf(SuppressedId id) => new(HMACSHA256.HashData(
        _salt, Encoding.UTF8.GetBytes($"{KindName(id.Kind)}\0{id.Collection}\0{id.Id}")));

    private static string KindName(SuppressedKind kind) => kind == SuppressedKind.Job ? "job" : "point";

    private void Append(string lines)
    {
        var end = _file.Seek(0, SeekOrigin.End);
        try
        {
            _file.Write(Encoding.UTF8.GetBytes(lines));
            _file.Flush(flushToDisk: true);
        }
        catch (IOException e)
        {
            TryTruncate(end);
            throw new Fault(
                FaultKind.Unavailable,
                Reasons.StoreUnavailable,
                $"The suppression list '{_path}' cannot be written: {e.Message} Nothing was deleted.",
                inner: e);
        }
    }

    private void TryTruncate(long length)
    {
        try
        {
            _file.SetLength(length);
        }
        catch (IOException)
        {
            // The next start ignores an incomplete last line.
        }
    }

    private void Load()
    {
        var bytes = new byte[_file.Length];
        _file.ReadExactly(bytes);
        // A line that a crash cut off was never confirmed.
        var complete = bytes.AsSpan().LastIndexOf((byte)'\n') + 1;
        _file.SetLength(complete);
        if (complete == 0)
        {
            _salt = RandomNumberGenerator.GetBytes(SaltBytes);
            var header = new Line { Version = Version, Salt = Convert.ToBase64String(_salt) };
            Append(JsonSerializer.Serialize(header, Json) + "\n");
            return;
        }
        var number = 0;
        foreach (var text in Encoding.UTF8.GetString(bytes.AsSpan(0, complete)).Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            number++;
            if (!TryRead(text, isHeader: number == 1))
            {
                throw new InvalidDataException(
                    $"Line {number} of '{_path}' is not a line of a suppression list of this version. Restore the file from a "
                    + "backup.");
            }
        }
    }

    private bool TryRead(string text, bool isHeader)
    {
        try
        {
            var line = JsonSerializer.Deserialize<Line>(text, Json)!;
            if (isHeader)
            {
                _salt = Convert.FromBase64String(line.Salt ?? "");
                return line.Version == Version && _salt.Length == SaltBytes;
            }
            return line switch
            {
                { Removed: { } removed } => _digests.Remove(Digest.Parse(removed)) || true,
                { Digest: { } added } => _digests.Add(Digest.Parse(added)) || true,
                _ => false,
            };
        }
        catch (Exception e) when (e is JsonException or FormatException)
        {
            return false;
        }
    }

    private sealed record Line
    {
        public int? Version { get; init; }

        public string? Salt { get; init; }

        public string? Kind { get; init; }

        public string? Digest { get; init; }

        public string? Removed { get; init; }

        public string? Time { get; init; }
    }

    /// <summary>32 bytes without an object of their own.</summary>
    private readonly record struct Digest(ulong A, ulong B, ulong C, ulong D)
    {
        public Digest(ReadOnlySpan<byte> bytes)
            : this(Part(bytes, 0), Part(bytes, 1), Part(bytes, 2), Part(bytes, 3))
        {
        }

        public static Digest Parse(string hex) =>
            Convert.FromHexString(hex) is { Length: 32 } bytes ? new(bytes) : throw new FormatException();

        public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{A:x16}{B:x16}{C:x16}{D:x16}");

        private static ulong Part(ReadOnlySpan<byte> bytes, int i) => BinaryPrimitives.ReadUInt64BigEndian(bytes[(8 * i)..]);
    }
}
