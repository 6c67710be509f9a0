using System.Buffers;
using System.Security.Cryptography;
using System.Text;

namespace Embeddings.Storage.Qdrant;

/// <summary>
/// Maps point ids to Qdrant's UUIDs: the UUIDv5 (RFC 9562) of the id in UTF-8 within <see cref="Namespace"/>, the same
/// in every collection. docs/qdrant-ids.md has test vectors. Never change the mapping: stored points would become
/// unreachable.
/// </summary>
internal static class PointIds
{
    public static readonly Guid Namespace = new("5b0c1f4e-3f6a-4d53-9a0e-7c2f6e1b8d90");

    private static readonly byte[] Prefix = Namespace.ToByteArray(bigEndian: true);

    /// <summary>
    /// The id of the point that stores a collection's metadata in an old Qdrant. No user's point has the id "".
    /// </summary>
    public static readonly Guid Reserved = Of("");

    public static Guid Of(string id)
    {
        var length = Prefix.Length + Encoding.UTF8.GetMaxByteCount(id.Length);
        byte[]? rented = null;
        var buffer = length <= 512 ? stackalloc byte[512] : rented = ArrayPool<byte>.Shared.Rent(length);
        Prefix.CopyTo(buffer);
        var used = Prefix.Length + Encoding.UTF8.GetBytes(id, buffer[Prefix.Length..]);
        Span<byte> hash = stackalloc byte[SHA1.HashSizeInBytes];
#pragma warning disable CA5350 // UUIDv5 is defined with SHA-1; it protects nothing.
        SHA1.HashData(buffer[..used], hash);
#pragma warning restore CA5350
        if (rented is not null)
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
        hash[6] = (byte)((hash[6] & 0x0F) | 0x50);
        hash[8] = (byte)((hash[8] & 0x3F) | 0x80);
        return new Guid(hash[..16], bigEndian: true);
    }
}
