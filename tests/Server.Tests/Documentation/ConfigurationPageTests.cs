using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Reflection;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Schema;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Embeddings.Server.Hosting;

namespace Embeddings.Server.Tests.Documentation;

/// <summary>
/// docs/configuration.md describes every setting, and src/Server/ConfigurationSchema.json is generated from the options
/// and that page.
/// </summary>
public sealed class ConfigurationPageTests
{
    private static readonly JsonSerializerOptions Json = new()
    {
        Converters = { new JsonStringEnumConverter() },
        TypeInfoResolver = new DefaultJsonTypeInfoResolver(),
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        WriteIndented = true,
        NewLine = "\n",
    };

    private static readonly ILookup<string, string[]> Rows =
        Page.Tables("configuration.md").ToLookup(row => Page.Code(row.Heading), row => row.Cells);

    [Fact]
    public void The_page_lists_every_setting_with_its_default_and_values()
    {
        var expected =
            from section in Settings.Sections
            from property in section.Type.GetProperties()
            let text = Text(property.GetValue(Activator.CreateInstance(section.Type)))
            let defaultValue = text.Length == 0 ? "none" : $"`{text}`"
            select $"{section.Name} | `{property.Name}` | {defaultValue} | {Values(property)}";
        var listed =
            from section in Rows
            from cells in section
            select $"{section.Key} | {string.Join(" | ", cells[..3])}";
        Assert.Equal(expected.Order(StringComparer.Ordinal), listed.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void The_schema_is_up_to_date()
    {
        var schema = new JsonObject
        {
            ["$schema"] = "https://json-schema.org/draft/2020-12/schema",
            ["title"] = "Settings of the Embeddings server",
            ["type"] = "object",
            ["properties"] = new JsonObject(),
        };
        foreach (var section in Settings.Sections)
        {
            var path = section.Name.Split(':');
            var parent = path[..^1].Aggregate(schema, (outer, name) => outer["properties"]![name]!.AsObject());
            parent["properties"]![path[^1]] = SchemaOf(section);
        }
        Page.IsGenerated("src/Server/ConfigurationSchema.json", schema.ToJsonString(Json) + "\n");
    }

    private static JsonNode SchemaOf(Settings.Section section)
    {
        var descriptions = Rows[section.Name].ToDictionary(cells => Page.Code(cells[0]), cells => cells[3]);
        var defaults = Activator.CreateInstance(section.Type);
        var schema = Json.GetJsonSchemaAsNode(section.Type, new()
        {
            TreatNullObliviousAsNonNullable = true,
            TransformSchemaNode = (context, node) =>
            {
                if (context.PropertyInfo?.AttributeProvider is not PropertyInfo property || node is not JsonObject setting)
                {
                    return node;
                }
                setting["description"] = descriptions[property.Name];
                if (property.GetCustomAttribute<RangeAttribute>() is { } range && range.OperandType != typeof(TimeSpan))
                {
                    setting["minimum"] = Convert.ToDouble(range.Minimum, CultureInfo.InvariantCulture);
                    setting["maximum"] = Convert.ToDouble(range.Maximum, CultureInfo.InvariantCulture);
                }
                if (property.GetValue(defaults) is { } value and not "" and not System.Collections.IList)
                {
                    setting["default"] = JsonSerializer.SerializeToNode(value, Json);
                }
                return setting;
            },
        });
        schema["additionalProperties"] = false;
        return schema;
    }

    private static string Values(PropertyInfo property)
    {
        if (property.GetCustomAttribute<RangeAttribute>() is { } range)
        {
            var isTime = range.OperandType == typeof(TimeSpan);
            return string.Join(" to ", new[] { range.Minimum, range.Maximum }.Select(
                limit => Text(isTime ? TimeSpan.Parse(Text(limit), CultureInfo.InvariantCulture) : limit)));
        }
        var type = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
        if (type.IsEnum)
        {
            return string.Join(", ", Enum.GetNames(type));
        }
        return type == typeof(bool) ? "true, false" : "";
    }

    private static string Text(object? value) => value switch
    {
        bool flag => flag ? "true" : "false",
        TimeSpan { Milliseconds: 0 } time => time.ToString("c"),
        TimeSpan time => time.ToString("c").TrimEnd('0'),
        System.Collections.IList => "",
        _ => Convert.ToString(value, CultureInfo.InvariantCulture) ?? "",
    };
}
