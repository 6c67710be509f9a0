using System.Collections;
using System.Globalization;
using Google.Protobuf.Collections;
using Google.Protobuf.WellKnownTypes;

namespace Embeddings.Client;

/// <summary>
/// Converts user-defined attributes between dictionaries and the messages of the contract. Attributes have the types of
/// JSON: text, number, Boolean, null, list, and dictionary.
/// </summary>
public static class AttributesExtensions
{
    // As in the service, and so that a dictionary that contains itself is an error.
    private const int MaxDepth = 32;

    // Numbers are doubles, which represent every integer only up to here.
    private const decimal LargestInteger = 1L << 53;

    /// <summary>Converts a dictionary to attributes, for <c>attributes</c> of an item or a payload.</summary>
    /// <param name="attributes">
    /// Values by name. A value is null, a <see cref="string"/>, a <see cref="bool"/>, a number, a dictionary with text
    /// keys, or another sequence of such values. Numbers are stored as <see cref="double"/>.
    /// </param>
    /// <exception cref="ArgumentException">
    /// A value has another type, is not finite, is an integer beyond 2^53, or is nested more than 32 levels deep. The
    /// message gives its path.
    /// </exception>
    public static Struct ToStruct(this IReadOnlyDictionary<string, object?> attributes)
    {
        ArgumentNullException.ThrowIfNull(attributes);
        return Convert(attributes, "attributes", 1);
    }

    /// <summary>Converts attributes to a dictionary, for example those of the payload of a search result.</summary>
    /// <param name="attributes">Attributes, or null if there are none.</param>
    /// <returns>
    /// Values by name: null, <see cref="string"/>, <see cref="bool"/>, <see cref="double"/>,
    /// <c>IReadOnlyDictionary&lt;string, object?&gt;</c>, or <c>IReadOnlyList&lt;object?&gt;</c>.
    /// </returns>
    public static IReadOnlyDictionary<string, object?> ToDictionary(this Struct? attributes) =>
        ToDictionary(attributes?.Fields ?? []);

    private static Dictionary<string, object?> ToDictionary(MapField<string, Value> fields) =>
        fields.ToDictionary(field => field.Key, field => FromValue(field.Value), StringComparer.Ordinal);

    private static object? FromValue(Value value) => value.KindCase switch
    {
        Value.KindOneofCase.StringValue => value.StringValue,
        Value.KindOneofCase.NumberValue => value.NumberValue,
        Value.KindOneofCase.BoolValue => value.BoolValue,
        Value.KindOneofCase.StructValue => ToDictionary(value.StructValue.Fields),
        Value.KindOneofCase.ListValue => value.ListValue.Values.Select(FromValue).ToArray(),
        _ => null,
    };

    private static Struct Convert(IEnumerable<KeyValuePair<string, object?>> attributes, string path, int depth)
    {
        var made = new Struct();
        foreach (var (name, value) in attributes)
        {
            made.Fields.Add(name, ToValue(value, $"{path}.{name}", depth));
        }

        return made;
    }

    private static Value ToValue(object? value, string path, int depth) => value switch
    {
        null => Value.ForNull(),
        string text => Value.ForString(text),
        bool flag => Value.ForBool(flag),
        double or float => Value.ForNumber(Finite(System.Convert.ToDouble(value, CultureInfo.InvariantCulture), path)),
        byte or sbyte or short or ushort or int or uint or long or ulong or decimal =>
            Value.ForNumber(Exact(System.Convert.ToDecimal(value, CultureInfo.InvariantCulture), path)),
        IEnumerable when depth >= MaxDepth =>
            throw new ArgumentException($"{path} must be nested at most {MaxDepth} levels deep.", "attributes"),
        IEnumerable<KeyValuePair<string, object?>> nested => Value.ForStruct(Convert(nested, path, depth + 1)),
        // Includes dictionaries whose values have one type, for example Dictionary<string, int>.
        IDictionary nested => Value.ForStruct(Convert(Entries(nested, path), path, depth + 1)),
        IEnumerable list => Value.ForList(
            [.. list.Cast<object?>().Select((item, index) => ToValue(item, $"{path}[{index}]", depth + 1))]),
        _ => throw new ArgumentException(
            $"{path} must be null, text, a Boolean, a number, a dictionary, or a list; got {value.GetType()}.",
            "attributes"),
    };

    private static IEnumerable<KeyValuePair<string, object?>> Entries(IDictionary nested, string path)
    {
        foreach (DictionaryEntry entry in nested)
        {
            var name = entry.Key as string
                ?? throw new ArgumentException($"The keys of {path} must be text; got {entry.Key.GetType()}.", "attributes");
            yield return KeyValuePair.Create(name, entry.Value);
        }
    }

    private static double Finite(double number, string path) => double.IsFinite(number)
        ? number
        : throw new ArgumentException(
            FormattableString.Invariant($"{path} must be finite; got {number}."), "attributes");

    private static double Exact(decimal number, string path) => Math.Abs(number) <= LargestInteger
        ? (double)number
        : throw new ArgumentException(
            FormattableString.Invariant(
                $"{path} must be between -2^53 and 2^53, because attributes hold numbers as doubles; got {number}. Use text."),
            "attributes");
}
