using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Reflection;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;

namespace Embeddings.Client;

/// <summary>
/// Binds the options to a configuration section. The binder's own errors name .NET types instead of keys and ranges.
/// </summary>
internal static class EmbeddingsClientOptionsBinder
{
    private static readonly Dictionary<string, PropertyInfo> Known = typeof(EmbeddingsClientOptions).GetProperties()
        .Where(property => property.Name is nameof(EmbeddingsClientOptions.Addresses) or nameof(EmbeddingsClientOptions.Headers)
            || property.PropertyType.IsValueType || property.PropertyType == typeof(string))
        .ToDictionary(property => property.Name, StringComparer.OrdinalIgnoreCase);

    /// <summary>Sets the options that the section contains.</summary>
    /// <exception cref="OptionsValidationException">A key is unknown, or a value has the wrong form.</exception>
    public static void Bind(EmbeddingsClientOptions options, IConfigurationSection section)
    {
        var failures = section.GetChildren().Select(Failure).OfType<string>().ToList();
        if (failures.Count > 0)
        {
            throw new OptionsValidationException(Options.DefaultName, typeof(EmbeddingsClientOptions), failures);
        }

        section.Bind(options);
    }

    private static string? Failure(IConfigurationSection setting)
    {
        if (!Known.TryGetValue(setting.Key, out var property))
        {
            return $"{setting.Path} is not an option. The options are {string.Join(", ", Known.Keys.Order())}.";
        }

        if (property.PropertyType == typeof(string))
        {
            return setting.GetChildren().Any() ? $"{setting.Path} must be a single value; got a section." : null;
        }

        if (!property.PropertyType.IsValueType)
        {
            // The binder ignores a single value. An empty one is an empty list.
            return string.IsNullOrEmpty(setting.Value) ? null : $"{setting.Path} must have a key for each element, such as {setting.Path}:0.";
        }

        var converter = TypeDescriptor.GetConverter(property.PropertyType);
        if (setting.Value is { } value && CanConvert(converter, value))
        {
            return null;
        }

        return FormattableString.Invariant($"{setting.Path} must be {Expected(property)}; got '{setting.Value}'.");
    }

    private static bool CanConvert(TypeConverter converter, string value)
    {
        try
        {
            return converter.ConvertFromInvariantString(value) is not null;
        }
        // Converters throw different exceptions, some of them with the cause inside.
        catch (Exception error) when (error is FormatException or ArgumentException or OverflowException)
        {
            return false;
        }
    }

    private static string Expected(PropertyInfo property)
    {
        if (property.GetCustomAttribute<RangeAttribute>() is { } range)
        {
            return FormattableString.Invariant($"between {range.Minimum} and {range.Maximum}");
        }

        string[] names = property.PropertyType.IsEnum ? Enum.GetNames(property.PropertyType) : ["true", "false"];
        return string.Join(" or ", names);
    }
}
