using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Embeddings.Server.Security;

/// <summary>A file of section <c>Security</c> cannot be read; the message names the file, the entry, and the value.</summary>
internal sealed class SecurityFileException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>Reads and writes the file with API keys and subjects of client certificates (docs/security.md).</summary>
internal static class KeysFile
{
    public const int MaxKeys = 1000;
    public const int MaxNameLength = 128;
    public const int MaxCollections = 100;
    private const int MaxBytes = 1 << 20;
    private const int DigestBytes = 32;

    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false, MaxDepth = 8 };

    private static readonly JsonSerializerOptions Indented =
        new() { WriteIndented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Reads a file.</summary>
    /// <exception cref="SecurityFileException">The file cannot be read or is not valid.</exception>
    public static IReadOnlyList<AccessKey> Read(string path) => Parse(ReadBytes(path), path);

    /// <summary>Reads the bytes of a file of section <c>Security</c>.</summary>
    /// <exception cref="SecurityFileException">The file cannot be read.</exception>
    public static byte[] ReadBytes(string path)
    {
        try
        {
            // While it is read, it may be replaced.
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            if (file.Length > MaxBytes)
            {
                throw new SecurityFileException($"{path} must have at most {MaxBytes} bytes; got {file.Length}.");
            }
            using var content = new MemoryStream();
            file.CopyTo(content);
            return content.ToArray();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            var why = e is FileNotFoundException or DirectoryNotFoundException ? "does not exist" : "cannot be read";
            throw new SecurityFileException($"{path} {why}.", e);
        }
    }

    /// <summary>Reads the content of a file; <paramref name="path"/> is its name, for messages.</summary>
    /// <exception cref="SecurityFileException">The content is not valid.</exception>
    public static IReadOnlyList<AccessKey> Parse(byte[] utf8, string path)
    {
        try
        {
            using var document = JsonDocument.Parse(utf8, Strict);
            if (document.RootElement.ValueKind != JsonValueKind.Object
                || !document.RootElement.TryGetProperty("keys", out var entries)
                || entries.ValueKind != JsonValueKind.Array)
            {
                throw new SecurityFileException($"{path} must be a JSON object with the list 'keys'.");
            }
            if (document.RootElement.EnumerateObject().FirstOrDefault(property => property.Name is not ("keys" or "$schema"))
                is { Value.ValueKind: not JsonValueKind.Undefined } other)
            {
                throw new SecurityFileException($"{path}: '{other.Name}' is not a known property; the only one is 'keys'.");
            }
            if (entries.GetArrayLength() > MaxKeys)
            {
                throw new SecurityFileException($"{path} must have at most {MaxKeys} keys; got {entries.GetArrayLength()}.");
            }
            List<AccessKey> keys = [.. entries.EnumerateArray().Select((entry, i) => new EntryReader(path, i, entry).Read())];
            RequireDistinct(keys, path);
            return keys;
        }
        catch (JsonException e)
        {
            var where = e.LineNumber is null ? "a property is repeated" : $"line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1}";
            throw new SecurityFileException($"{path} is not valid JSON: {where}.", e);
        }
    }

    /// <summary>Changes a file, which need not exist, and holds off other changes for that time.</summary>
    /// <exception cref="SecurityFileException">The file or the result is not valid, or another process changes it.</exception>
    public static void Change(string path, Func<IReadOnlyList<AccessKey>, IReadOnlyList<AccessKey>> change)
    {
        FileStream guard;
        try
        {
            guard = new($"{path}.lock", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1, FileOptions.DeleteOnClose);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SecurityFileException($"{path} cannot be changed, or another process changes it: {e.Message}", e);
        }
        using (guard)
        {
            var keys = change(File.Exists(path) ? Read(path) : []);
            if (keys.Count > MaxKeys)
            {
                throw new SecurityFileException($"{path} must have at most {MaxKeys} keys; got {keys.Count}.");
            }
            RequireDistinct(keys, path);
            Write(path, keys);
        }
    }

    /// <summary>
    /// Replaces the file in one step, readable by its owner only. A server that reads it sees the old or the new content.
    /// </summary>
    public static void Write(string path, IReadOnlyList<AccessKey> keys)
    {
        var target = new FileInfo(path) is { LinkTarget: not null } link ? link.ResolveLinkTarget(true)!.FullName : path;
        var temporary = $"{target}.{Guid.NewGuid():N}.tmp";
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }
        try
        {
            using (var file = new FileStream(temporary, options))
            {
                file.Write(ToJson(keys));
                file.Flush(flushToDisk: true);
            }
            File.Move(temporary, target, overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
    }

    /// <summary>The spelling of an access in files and messages.</summary>
    public static string Word(Access access) => access.ToString().ToLowerInvariant();

    /// <summary>Reads an access, or returns null.</summary>
    public static Access? AccessOf(string? word) => word switch
    {
        "read" => Access.Read,
        "write" => Access.Write,
        "manage" => Access.Manage,
        _ => null,
    };

    /// <summary>True if the text can be the name of a key.</summary>
    public static bool IsName(string name) =>
        name.Length is > 0 and <= MaxNameLength
        && char.IsAsciiLetterOrDigit(name[0])
        && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.' or '@');

    /// <summary>Fault unless names, digests, and subjects are distinct.</summary>
    public static void RequireDistinct(IReadOnlyList<AccessKey> keys, string path)
    {
        Require("name", key => key.Name);
        Require("sha256", key => key.Digest is null ? null : Convert.ToHexStringLower(key.Digest));
        Require("subject", key => key.Subject);

        void Require(string property, Func<AccessKey, string?> value)
        {
            if (keys.GroupBy(value, StringComparer.Ordinal).FirstOrDefault(group => group.Key is not null && group.Count() > 1) is { } twice)
            {
                var names = string.Join(", ", twice.Select(key => $"'{key.Name}'"));
                throw new SecurityFileException($"{path}: {property} must be unique; '{twice.Key}' is in the entries {names}.");
            }
        }
    }

    private static byte[] ToJson(IReadOnlyList<AccessKey> keys)
    {
        var entries = new JsonArray();
        foreach (var key in keys)
        {
            var entry = new JsonObject { ["name"] = key.Name };
            if (key.Digest is not null)
            {
                entry["sha256"] = Convert.ToHexStringLower(key.Digest);
            }
            if (key.Subject is not null)
            {
                entry["subject"] = key.Subject;
            }
            entry["access"] = Word(key.Access);
            entry["collections"] = new JsonArray([.. key.Collections.Select(glob => JsonValue.Create(glob))]);
            if (key.Expires is { } expires)
            {
                entry["expires"] = expires.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
            }
            if (key.Limits != CallerLimits.None)
            {
                var limits = new JsonObject();
                Add(limits, "concurrent_streams", key.Limits.ConcurrentStreams);
                Add(limits, "items_per_second", key.Limits.ItemsPerSecond);
                Add(limits, "bytes_per_second", key.Limits.BytesPerSecond);
                Add(limits, "points", key.Limits.Points);
                entry["limits"] = limits;
            }
            entries.Add(entry);
        }
        var json = JsonSerializer.SerializeToUtf8Bytes(new JsonObject { ["keys"] = entries }, Indented);
        return [.. json, (byte)'\n'];
    }

    private static void Add<T>(JsonObject limits, string name, T? value)
        where T : struct
    {
        if (value is { } set)
        {
            limits[name] = JsonValue.Create(set);
        }
    }

    /// <summary>Reads one entry.</summary>
    private readonly struct EntryReader(string path, int index, JsonElement entry)
    {
        private static readonly string[] Properties =
            ["name", "sha256", "subject", "access", "collections", "expires", "limits"];

        public AccessKey Read()
        {
            if (entry.ValueKind != JsonValueKind.Object)
            {
                throw Error("must be a JSON object");
            }
            RequireKnown(entry, Properties);
            var name = Text("name") ?? throw Error("name is required");
            if (!IsName(name))
            {
                throw Error(
                    $"name must have 1 to {MaxNameLength} characters from a-z, A-Z, 0-9, '_', '-', '.', and '@', and start with a letter or "
                    + $"digit; got '{name}'");
            }
            var word = Text("access") ?? throw Error("access is required: read, write, or manage");
            var access = AccessOf(word) ?? throw Error($"access must be read, write, or manage; got '{word}'");
            var (digest, subject) = (Digest(), Subject());
            if (digest is null == (subject is null))
            {
                throw Error("exactly one of sha256 and subject is required");
            }
            return new(name, digest, subject, access, Collections(), Expires(), Limits());
        }

        private byte[]? Digest()
        {
            if (Text("sha256") is not { } hex)
            {
                return null;
            }
            return hex.Length == 2 * DigestBytes && hex.All(char.IsAsciiHexDigit)
                ? Convert.FromHexString(hex)
                // Not the value: it may be the key itself, by mistake.
                : throw Error($"sha256 must be the SHA-256 of the key as {2 * DigestBytes} hexadecimal digits; got {hex.Length} characters");
        }

        private string? Subject() =>
            Text("subject") is { } subject
                ? AccessKey.Normalize(subject)
                    ?? throw Error($"subject must be a distinguished name such as 'CN=worker-1, O=Example'; got '{subject}'")
                : null;

        private IReadOnlyList<string> Collections()
        {
            if (!entry.TryGetProperty("collections", out var list))
            {
                return ["*"];
            }
            if (list.ValueKind != JsonValueKind.Array || list.EnumerateArray().Any(glob => glob.ValueKind != JsonValueKind.String))
            {
                throw Error("collections must be a list of strings");
            }
            List<string> globs = [.. list.EnumerateArray().Select(glob => glob.GetString()!)];
            if (globs.Count is 0 or > MaxCollections)
            {
                throw Error($"collections must have 1 to {MaxCollections} elements; got {globs.Count}");
            }
            return globs.Find(glob => !CollectionGlob.IsValid(glob)) is { } bad
                ? throw Error(
                    $"collections must have 1 to {CollectionGlob.MaxLength} characters from those of collection names, '*', and '?'; got '{bad}'")
                : globs;
        }

        private DateTimeOffset? Expires()
        {
            if (Text("expires") is not { } text)
            {
                return null;
            }
            return DateTimeOffset.TryParseExact(
                text,
                ["yyyy-MM-dd'T'HH:mm:ssK", "yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK"],
                CultureInfo.InvariantCulture,
                DateTimeStyles.AssumeUniversal,
                out var time)
                ? time
                : throw Error($"expires must be a time such as 2027-01-01T00:00:00Z; got '{text}'");
        }

        private CallerLimits Limits()
        {
            if (!entry.TryGetProperty("limits", out var limits))
            {
                return CallerLimits.None;
            }
            if (limits.ValueKind != JsonValueKind.Object)
            {
                throw Error("limits must be a JSON object");
            }
            RequireKnown(limits, ["concurrent_streams", "items_per_second", "bytes_per_second", "points"], "limits.");
            return new(
                (int?)Number(limits, "concurrent_streams", 1, 1_000_000, isWhole: true),
                Number(limits, "items_per_second", 0.001, 1e9),
                Number(limits, "bytes_per_second", 1, 1e15),
                (long?)Number(limits, "points", 0, 1e15, isWhole: true));
        }

        private double? Number(JsonElement limits, string name, double min, double max, bool isWhole = false)
        {
            if (!limits.TryGetProperty(name, out var value))
            {
                return null;
            }
            return value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var number)
                && number >= min && number <= max && (!isWhole || Math.Truncate(number) == number)
                ? number
                : throw Error(FormattableString.Invariant(
                    $"limits.{name} must be a {(isWhole ? "whole " : "")}number between {min} and {max}; got {value.GetRawText()}"));
        }

        private string? Text(string property)
        {
            if (!entry.TryGetProperty(property, out var value))
            {
                return null;
            }
            return value.ValueKind == JsonValueKind.String
                ? value.GetString()
                : throw Error($"{property} must be a string");
        }

        private void RequireKnown(JsonElement json, string[] known, string prefix = "")
        {
            foreach (var property in json.EnumerateObject())
            {
                if (!known.Contains(property.Name, StringComparer.Ordinal))
                {
                    throw Error($"'{prefix}{property.Name}' is not a known property; they are {string.Join(", ", known)}");
                }
            }
        }

        private SecurityFileException Error(string message)
        {
            var name = entry.ValueKind == JsonValueKind.Object
                && entry.TryGetProperty("name", out var value) && value.ValueKind == JsonValueKind.String
                ? $" '{value.GetString()}'"
                : "";
            return new($"{path}: keys[{index}]{name}: {message}.");
        }
    }
}
