using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using YamlDotNet.Core;
using YamlDotNet.Serialization;

namespace Embeddings.Deployment.Tests;

/// <summary>The files of <c>deploy/</c>, and YAML documents as JSON.</summary>
internal static class DeployFolder
{
    private static readonly IDeserializer Yaml =
        new DeserializerBuilder().WithAttemptingUnquotedStringTypeDeserialization().Build();

    // A key that replaces one of a merged mapping (<<) would be a duplicate, so this one does not merge.
    private static readonly IDeserializer WithoutDuplicates = new DeserializerBuilder().WithDuplicateKeyChecking().Build();

    public static string Root { get; } = Path.Combine(Repository.Root, "deploy");

    /// <summary>The folders of <c>deploy/kubernetes</c>.</summary>
    public static TheoryData<string> Variants => [.. Directory.GetDirectories(PathOf("kubernetes")).Select(folder => Path.GetFileName(folder)!)];

    /// <summary>Version of the packages and of the image.</summary>
    public static string Version { get; } = System.Xml.Linq.XDocument.Load(Path.Combine(Repository.Root, "Directory.Build.props"))
        .Descendants("Version").Single().Value;

    public static string PathOf(params string[] parts) => Path.Combine([Root, .. parts]);

    public static string Read(params string[] parts) => File.ReadAllText(PathOf(parts));

    /// <summary>All files that configure something.</summary>
    public static IReadOnlyList<string> Files { get; } =
        [.. Directory.GetFiles(Root, "*", SearchOption.AllDirectories).Where(file => !file.EndsWith(".md", StringComparison.Ordinal))];

    /// <summary>The documents of a YAML file.</summary>
    public static IReadOnlyList<JsonNode> Documents(params string[] parts)
    {
        var text = Read(parts);
        _ = Documents(WithoutDuplicates, new Parser(new StringReader(text)));
        return Documents(Yaml, new MergingParser(new Parser(new StringReader(text))));
    }

    private static List<JsonNode> Documents(IDeserializer yaml, IParser parser)
    {
        parser.Consume<YamlDotNet.Core.Events.StreamStart>();
        var documents = new List<JsonNode>();
        while (parser.Accept<YamlDotNet.Core.Events.DocumentStart>(out _))
        {
            documents.Add(Node(yaml.Deserialize<object>(parser))!);
        }
        return documents;
    }

    private static JsonNode? Node(object? value) => value switch
    {
        null => null,
        IDictionary<object, object> map => new JsonObject(map.Select(pair =>
            KeyValuePair.Create(Convert.ToString(pair.Key, CultureInfo.InvariantCulture)!, Node(pair.Value)))),
        IEnumerable<object> list => new JsonArray([.. list.Select(Node)]),
        _ => JsonSerializer.SerializeToNode(value),
    };
}
