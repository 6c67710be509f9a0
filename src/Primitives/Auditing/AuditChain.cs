using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Embeddings.Primitives.Auditing;

/// <summary>
/// The hash chain of an audit log (docs/audit.md). A line is JSON that ends with <c>,"prev":"HEX","hash":"HEX"}</c>. Its hash is
/// the SHA-256, or with a key the HMAC-SHA256, of the previous hash followed by the line before <c>,"hash"</c>.
/// </summary>
internal sealed class AuditChain(byte[]? key)
{
    /// <summary>Size of a hash, bytes.</summary>
    public const int HashBytes = SHA256.HashSizeInBytes;

    /// <summary>Minimum size of a key, bytes.</summary>
    public const int MinKeyBytes = 32;

    private const int HexLength = 2 * HashBytes;
    private static readonly byte[] PrevField = ",\"prev\":\""u8.ToArray();
    private static readonly byte[] HashField = ",\"hash\":\""u8.ToArray();
    private static readonly byte[] End = "\"}"u8.ToArray();

    /// <summary>The hash before the first line: zeros.</summary>
    public static byte[] Start => new byte[HashBytes];

    /// <summary>Reads the key of a file: its bytes without line breaks and blanks at the end.</summary>
    /// <exception cref="InvalidDataException">The key is too short.</exception>
    public static byte[] ReadKey(string file)
    {
        var content = File.ReadAllBytes(file);
        var length = content.AsSpan().TrimEnd(" \t\r\n"u8).Length;
        return length >= MinKeyBytes
            ? content[..length]
            : throw new InvalidDataException(
                $"The key in '{file}' must have at least {MinKeyBytes} bytes; got {length}. "
                    + "Create one with: openssl rand -base64 32");
    }

    /// <summary>
    /// Completes a line: adds the previous hash, the hash, and the line break to a JSON object without its last brace.
    /// </summary>
    /// <param name="line">The object without its last brace.</param>
    /// <param name="previous">The previous hash.</param>
    /// <returns>The complete line, and its hash.</returns>
    public (byte[] Line, byte[] Hash) Seal(ReadOnlySpan<byte> line, ReadOnlySpan<byte> previous)
    {
        var body = line.Length + PrevField.Length + HexLength + 1;
        var sealedLine = new byte[body + HashField.Length + HexLength + End.Length + 1];
        line.CopyTo(sealedLine);
        var rest = sealedLine.AsSpan(line.Length);
        Put(ref rest, PrevField);
        PutHex(ref rest, previous);
        Put(ref rest, "\""u8);
        var hash = HashOf(sealedLine.AsSpan(0, body), previous);
        Put(ref rest, HashField);
        PutHex(ref rest, hash);
        Put(ref rest, End);
        rest[0] = (byte)'\n';
        return (sealedLine, hash);
    }

    /// <summary>Returns the two hashes of a line without its line break, or null if it does not end with them.</summary>
    public static (byte[] Previous, byte[] Hash)? Hashes(ReadOnlySpan<byte> line)
    {
        var suffix = HashField.Length + HexLength + End.Length;
        if (line.Length < suffix + PrevField.Length + HexLength + 1)
        {
            return null;
        }
        var tail = line[^suffix..];
        var prev = line[^(suffix + PrevField.Length + HexLength + 1)..^suffix];
        if (!tail.StartsWith(HashField) || !tail.EndsWith(End) || !prev.StartsWith(PrevField) || prev[^1] != (byte)'"')
        {
            return null;
        }
        var previous = new byte[HashBytes];
        var hash = new byte[HashBytes];
        return TryReadHex(prev.Slice(PrevField.Length, HexLength), previous) && TryReadHex(tail.Slice(HashField.Length, HexLength), hash)
            ? (previous, hash)
            : null;
    }

    /// <summary>Returns true if the hash of a line, without its line break, is that of its content.</summary>
    public bool IsIntact(ReadOnlySpan<byte> line) =>
        Hashes(line) is { } hashes
            && CryptographicOperations.FixedTimeEquals(
                HashOf(line[..^(HashField.Length + HexLength + End.Length)], hashes.Previous), hashes.Hash);

    // Lower case only, so that a line has one form.
    private static bool TryReadHex(ReadOnlySpan<byte> hex, Span<byte> bytes) =>
        !hex.ContainsAnyInRange((byte)'A', (byte)'F')
            && Convert.FromHexString(hex, bytes, out _, out _) == System.Buffers.OperationStatus.Done;

    private static void Put(ref Span<byte> rest, ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(rest);
        rest = rest[bytes.Length..];
    }

    private static void PutHex(ref Span<byte> rest, ReadOnlySpan<byte> bytes)
    {
        Convert.TryToHexStringLower(bytes, rest, out var written);
        rest = rest[written..];
    }

    private byte[] HashOf(ReadOnlySpan<byte> body, ReadOnlySpan<byte> previous)
    {
        using var hash = key is null
            ? IncrementalHash.CreateHash(HashAlgorithmName.SHA256)
            : IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, key);
        hash.AppendData(previous);
        hash.AppendData(body);
        return hash.GetHashAndReset();
    }
}

/// <summary>
/// The digest of the ids of a call: SHA-256 of each id in order, as its length in bytes of UTF-8 (32 bits, the highest byte
/// first) and these bytes.
/// </summary>
internal sealed class AuditDigest : IDisposable
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    /// <summary>Number of ids.</summary>
    public long Count { get; private set; }

    /// <summary>Returns the digest of some ids in hexadecimal.</summary>
    public static string Of(IEnumerable<string> ids)
    {
        using var digest = new AuditDigest();
        foreach (var id in ids)
        {
            digest.Add(id);
        }
        return digest.Take();
    }

    public void Add(string id)
    {
        Span<byte> small = stackalloc byte[512];
        var length = Encoding.UTF8.GetByteCount(id);
        var bytes = length + sizeof(int) <= small.Length ? small : new byte[length + sizeof(int)];
        BinaryPrimitives.WriteInt32BigEndian(bytes, length);
        Encoding.UTF8.GetBytes(id, bytes[sizeof(int)..]);
        _hash.AppendData(bytes[..(length + sizeof(int))]);
        Count++;
    }

    /// <summary>Returns the digest in hexadecimal, and begins again.</summary>
    public string Take()
    {
        Count = 0;
        return Convert.ToHexStringLower(_hash.GetHashAndReset());
    }

    public void Dispose() => _hash.Dispose();
}
