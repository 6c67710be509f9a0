using System.Buffers.Binary;
using System.Buffers.Text;
using System.Text;
using Embeddings.Primitives;
using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant;

/// <summary>Where a listing goes on: from a Qdrant id of a collection. Opaque to callers, and checked when it comes back.</summary>
internal static class QdrantPageToken
{
    private const byte Version = 1;
    private const byte Uuid = 0;
    private const byte Number = 1;
    private const int BodyLength = 2 + 16;
    private const int Length = BodyLength + sizeof(uint);

    public static string Make(string collection, PointId next)
    {
        Span<byte> bytes = stackalloc byte[Length];
        bytes.Clear();
        bytes[0] = Version;
        if (next.HasNum)
        {
            bytes[1] = Number;
            BinaryPrimitives.WriteUInt64BigEndian(bytes[2..], next.Num);
        }
        else
        {
            bytes[1] = Uuid;
            Guid.Parse(next.Uuid).TryWriteBytes(bytes[2..], bigEndian: true, out _);
        }
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[BodyLength..], Checksum(collection, bytes[..BodyLength]));
        return Base64Url.EncodeToString(bytes);
    }

    /// <summary>The id to go on from; null for the empty token. INVALID_ARGUMENT for one that is not of this collection.</summary>
    public static PointId? Read(string token, string collection)
    {
        if (token.Length == 0)
        {
            return null;
        }
        Span<byte> bytes = stackalloc byte[Length];
        if (token.Length != Base64Url.GetEncodedLength(Length)
            || !Base64Url.IsValid(token)
            || !Base64Url.TryDecodeFromChars(token, bytes, out var length)
            || length != Length
            || bytes[0] != Version
            || bytes[1] is not (Uuid or Number)
            || BinaryPrimitives.ReadUInt32LittleEndian(bytes[BodyLength..]) != Checksum(collection, bytes[..BodyLength]))
        {
            throw Fault.Invalid(Reasons.PageTokenInvalid, "page_token", "page_token is not one this collection's listing gave");
        }
        return bytes[1] == Number
            ? new() { Num = BinaryPrimitives.ReadUInt64BigEndian(bytes[2..]) }
            : new PointId { Uuid = new Guid(bytes.Slice(2, 16), bigEndian: true).ToString() };
    }

    /// <summary>FNV-1a over collection and body: catches a mangled or misplaced token; nobody gains by forging one.</summary>
    private static uint Checksum(string collection, ReadOnlySpan<byte> body)
    {
        var hash = 2166136261;
        foreach (var value in Encoding.UTF8.GetBytes(collection))
        {
            hash = unchecked((hash ^ value) * 16777619);
        }
        foreach (var value in body)
        {
            hash = unchecked((hash ^ value) * 16777619);
        }
        return hash;
    }
}
