using System.Buffers.Binary;
using System.Buffers.Text;
using Embeddings.Primitives;

namespace Embeddings.Storage.Sqlite;

/// <summary>Where a listing goes on: after a row of a collection. Opaque to callers, and checked when it comes back.</summary>
internal static class PageToken
{
    private const byte Version = 1;
    private const int BodyLength = 1 + sizeof(long) + sizeof(long);

    public static string Make(long collection, long row)
    {
        Span<byte> bytes = stackalloc byte[BodyLength + sizeof(uint)];
        bytes[0] = Version;
        BinaryPrimitives.WriteInt64LittleEndian(bytes[1..], collection);
        BinaryPrimitives.WriteInt64LittleEndian(bytes[9..], row);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[BodyLength..], Checksum(bytes[..BodyLength]));
        return Base64Url.EncodeToString(bytes);
    }

    /// <summary>The row to go on after: 0 for the empty token. INVALID_ARGUMENT for one that is not of this collection.</summary>
    public static long Read(string token, long collection)
    {
        if (token.Length == 0)
        {
            return 0;
        }

        Span<byte> bytes = stackalloc byte[BodyLength + sizeof(uint)];
        if (token.Length > 64
            || !Base64Url.IsValid(token)
            || !Base64Url.TryDecodeFromChars(token, bytes, out var length)
            || length != bytes.Length
            || bytes[0] != Version
            || BinaryPrimitives.ReadUInt32LittleEndian(bytes[BodyLength..]) != Checksum(bytes[..BodyLength])
            || BinaryPrimitives.ReadInt64LittleEndian(bytes[1..]) != collection)
        {
            throw Fault.Invalid(Reasons.PageTokenInvalid, "page_token", "page_token is not one this collection's listing gave");
        }

        return BinaryPrimitives.ReadInt64LittleEndian(bytes[9..]);
    }

    /// <summary>FNV-1a: catches a mangled token; nobody gains by forging one.</summary>
    private static uint Checksum(ReadOnlySpan<byte> bytes)
    {
        var hash = 2166136261;
        foreach (var value in bytes)
        {
            hash = unchecked((hash ^ value) * 16777619);
        }

        return hash;
    }
}
