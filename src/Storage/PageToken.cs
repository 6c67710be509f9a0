using System.Buffers.Binary;
using System.Buffers.Text;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using Embeddings.Primitives;

namespace Embeddings.Storage;

/// <summary>
/// Page tokens of all listings: a position within a named listing with a checksum, opaque to clients. The checksum
/// detects damaged tokens and tokens of other listings; it is no protection against forgery, which would gain nothing.
/// </summary>
internal static class PageToken
{
    private const int ChecksumBytes = sizeof(ulong);

    /// <summary>Makes the token that continues the listing at the position.</summary>
    /// <param name="listing">Identifies the listing, such as a collection.</param>
    /// <param name="position">The position, in the listing's own format; not empty.</param>
    public static string Encode(string listing, ReadOnlySpan<byte> position)
    {
        var bytes = new byte[ChecksumBytes + position.Length];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, Checksum(listing, position));
        position.CopyTo(bytes.AsSpan(ChecksumBytes));
        return Base64Url.EncodeToString(bytes);
    }

    /// <summary>
    /// Returns the position in a token; null for the empty token. INVALID_ARGUMENT for a token of another listing.
    /// </summary>
    public static byte[]? Decode(string listing, string token)
    {
        if (token.Length == 0)
        {
            return null;
        }
        if (Base64Url.IsValid(token, out var length) && length > ChecksumBytes)
        {
            var bytes = Base64Url.DecodeFromChars(token);
            var position = bytes[ChecksumBytes..];
            if (BinaryPrimitives.ReadUInt64LittleEndian(bytes) == Checksum(listing, position))
            {
                return position;
            }
        }
        throw Fault.Invalid(
            Reasons.PageTokenInvalid,
            "page_token",
            "page_token must be empty or a next_page_token of the same listing; start again with an empty page_token.");
    }

    private static ulong Checksum(string listing, ReadOnlySpan<byte> position) =>
        XxHash3.HashToUInt64(position, (long)XxHash3.HashToUInt64(MemoryMarshal.AsBytes(listing.AsSpan())));
}
