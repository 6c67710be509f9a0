using System.Buffers.Binary;
using System.Text;
using System.Text.Json.Nodes;

namespace Embeddings.Storage;

/// <summary>Fields that order a listing.</summary>
internal enum OrderField
{
    PointId,
    StoredAt,
    Confidence,
    Attribute,
}

/// <summary>
/// The order of a listing. Points with equal values are in the order of their ids, and those without the field, or with a value of
/// another type, come last in either direction.
/// </summary>
/// <param name="Field">The field.</param>
/// <param name="Descending">True to begin with the largest value.</param>
/// <param name="Attribute">The indexed attribute, of type number or time, if that is the field; otherwise null.</param>
internal sealed record PointOrder(OrderField Field, bool Descending, IndexedAttribute? Attribute = null)
{
    /// <summary>Identifies the order in page tokens.</summary>
    public string Key =>
        $"{Field}/{(Descending ? "desc" : "asc")}/{Attribute?.Type}/{new JsonArray([.. (Attribute?.Path.Names ?? []).Select(static name => (JsonNode)name)]).ToJsonString()}";
}

/// <summary>A position in an ordered listing.</summary>
/// <param name="Value">
/// The value of the point: a number, or a time in milliseconds of Unix time; null among the points without the field.
/// </param>
/// <param name="Id">The id of the point, in the form of the store; null for the beginning of the points without the field.</param>
internal readonly record struct OrderPosition(double? Value, string? Id)
{
    public byte[] ToBytes()
    {
        var id = Id is null ? [] : Encoding.UTF8.GetBytes(Id);
        var bytes = new byte[1 + sizeof(double) + id.Length];
        bytes[0] = (byte)((Value is null ? 0 : 1) | (Id is null ? 0 : 2));
        BinaryPrimitives.WriteDoubleLittleEndian(bytes.AsSpan(1), Value ?? 0);
        id.CopyTo(bytes, 1 + sizeof(double));
        return bytes;
    }

    public static OrderPosition FromBytes(ReadOnlySpan<byte> bytes) => new(
        (bytes[0] & 1) == 0 ? null : BinaryPrimitives.ReadDoubleLittleEndian(bytes[1..]),
        (bytes[0] & 2) == 0 ? null : Encoding.UTF8.GetString(bytes[(1 + sizeof(double))..]));
}
