using System.Text;
using Embeddings.Primitives;

namespace Embeddings.Server.Grpc.Mapping;

/// <summary>Checks of single fields, each a fault that names the field.</summary>
internal static class Require
{
    /// <summary>Bytes of UTF-8 that job_id, media_store_id and item_id may have.</summary>
    public const int MaxIdBytes = 512;

    /// <summary>Bytes of UTF-8 that a point's id may have.</summary>
    public const int MaxPointIdBytes = 1024;

    public static T Present<T>(T? value, string field)
        where T : class =>
        value ?? throw Missing(field);

    public static string Text(string value, string field, int maxBytes) =>
        value.Length > 0 ? Bounded(value, field, maxBytes) : throw Missing(field);

    public static string Bounded(string value, string field, int maxBytes)
    {
        if (value.Length > maxBytes || Encoding.UTF8.GetByteCount(value) > maxBytes)
        {
            throw Fault.Invalid(Reasons.FieldTooLong, field, $"{field} may have {maxBytes} bytes");
        }
        return value.Contains('\0') ? throw Fault.Invalid(Reasons.FieldInvalid, field, $"{field} holds a NUL character") : value;
    }

    /// <summary>A collection's name: 1 to 128 of a-z, A-Z, 0-9, _, -, ., the first a letter or digit. They are safe in paths and URLs everywhere.</summary>
    public static string Collection(string value, string fallback = "", string field = "collection")
    {
        if (value.Length == 0)
        {
            return fallback.Length > 0 ? fallback : throw Missing(field);
        }
        return value.Length <= 128 && char.IsAsciiLetterOrDigit(value[0]) && value.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.')
            ? value
            : throw Fault.Invalid(Reasons.FieldInvalid, field, $"{field} must be 1 to 128 of a-z, A-Z, 0-9, '_', '-' and '.', the first a letter or digit");
    }

    /// <summary>A count with a default for 0.</summary>
    public static int Count(int value, string field, int fallback, int max)
    {
        if (value < 0 || value > max)
        {
            throw Fault.Invalid(Reasons.FieldInvalid, field, $"{field} must be 1 to {max}, or 0 for {fallback}; it is {value}");
        }
        return value == 0 ? fallback : value;
    }

    public static Fault Missing(string field) => Fault.Invalid(Reasons.FieldRequired, field, $"{field} is required");
}
