using System.Numerics;
using System.Text;
using Embeddings.Primitives;

namespace Embeddings.Server.Grpc.Mapping;

/// <summary>Validation of single fields; each failure is a fault that names the field.</summary>
internal static class Require
{
    /// <summary>Maximum size of job_id, media_store_id, and item_id, bytes of UTF-8.</summary>
    public const int MaxIdBytes = 512;

    /// <summary>Maximum size of a point id, bytes of UTF-8.</summary>
    public const int MaxPointIdBytes = 1024;

    /// <summary>Reads a nested message: fields in its faults begin with <paramref name="path"/>.</summary>
    public static T Within<T>(string path, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Fault fault)
        {
            throw fault.Within(path);
        }
    }

    public static T Present<T>(T? value, string field)
        where T : class =>
        value ?? throw Missing(field);

    public static string Text(string value, string field, int maxBytes) =>
        value.Length > 0 ? Bounded(value, field, maxBytes) : throw Missing(field);

    public static string Bounded(string value, string field, int maxBytes)
    {
        if (value.Length > maxBytes || Encoding.UTF8.GetByteCount(value) > maxBytes)
        {
            var bytes = Encoding.UTF8.GetByteCount(value);
            throw Fault.Invalid(Reasons.FieldTooLong, field, $"{field} must be at most {maxBytes} bytes of UTF-8; got {bytes}.")
                .With(FaultKeys.Limit, maxBytes)
                .With(FaultKeys.Actual, bytes);
        }
        return value.Contains('\0')
            ? throw Fault.Invalid(Reasons.FieldInvalid, field, $"{field} must not contain a NUL character.")
            : value;
    }

    /// <summary>The name of a collection, which is safe in paths and URLs everywhere.</summary>
    public static string Collection(string value, string field = "collection")
    {
        if (value.Length == 0)
        {
            throw Missing(field);
        }
        return IsCollection(value)
            ? value
            : throw Fault.Invalid(
                Reasons.FieldInvalid,
                field,
                $"{field} must have 1 to 128 characters from a-z, A-Z, 0-9, '_', '-', and '.', and start with a letter or digit.");
    }

    /// <summary>Returns true if a name may be that of a collection.</summary>
    public static bool IsCollection(string value) => value.Length is > 0 and <= 128
        && char.IsAsciiLetterOrDigit(value[0])
        && value.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.');

    /// <summary>A count; 0 means the default.</summary>
    public static int Count(int value, string field, int fallback, int max)
    {
        if (value < 0 || value > max)
        {
            throw Fault.Invalid(
                Reasons.FieldInvalid,
                field,
                $"{field} must be between 1 and {max}, or 0 for the default of {fallback}; got {value}.")
                .With(FaultKeys.Limit, max)
                .With(FaultKeys.Actual, value);
        }
        return value == 0 ? fallback : value;
    }

    public static T InRange<T>(T value, string field, T min, T max)
        where T : INumber<T> =>
        value >= min && value <= max
            ? value
            : throw Fault.Invalid(Reasons.FieldInvalid, field, $"{field} must be between {min} and {max}; got {value}.")
                .With(FaultKeys.Limit, value < min ? min : max)
                .With(FaultKeys.Actual, value);

    /// <summary>Fault unless a list has 1 to <paramref name="max"/> elements.</summary>
    public static void NotEmpty(int count, string field, int max)
    {
        if (count == 0 || count > max)
        {
            var reason = count == 0 ? Reasons.FieldRequired : Reasons.FieldTooLong;
            throw Fault.Invalid(reason, field, $"{field} must contain between 1 and {max} elements; got {count}.")
                .With(FaultKeys.Limit, max)
                .With(FaultKeys.Actual, count);
        }
    }

    /// <summary>Fault if a list has more than <paramref name="max"/> elements.</summary>
    public static void AtMost(int count, string field, int max)
    {
        if (count > max)
        {
            throw Fault.Invalid(Reasons.FieldTooLong, field, $"{field} must contain at most {max} elements; got {count}.")
                .With(FaultKeys.Limit, max)
                .With(FaultKeys.Actual, count);
        }
    }

    /// <summary>Fault unless a vector has the dimension of its collection or model.</summary>
    /// <param name="actual">The dimension of the vector.</param>
    /// <param name="expected">The required dimension.</param>
    /// <param name="field">The field of the vector.</param>
    /// <param name="owner">The collection or model that requires the dimension, for the message.</param>
    public static void Dimension(int actual, int expected, string field, string owner)
    {
        if (actual != expected)
        {
            throw Fault.Invalid(
                Reasons.DimensionMismatch, field, $"{field} must have {expected} dimensions to match {owner}; got {actual}.")
                .With(FaultKeys.Expected, expected)
                .With(FaultKeys.Actual, actual);
        }
    }

    public static Fault Missing(string field) => Fault.Invalid(Reasons.FieldRequired, field, $"{field} is required.");
}
