using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Embeddings.Deployment.Tests;

/// <summary>Names of settings and images in <c>deploy/</c>.</summary>
public sealed partial class SettingsTests
{
    private static readonly JsonNode Schema = JsonNode.Parse(
        File.ReadAllText(Path.Combine(Repository.Root, "src", "Server", "ConfigurationSchema.json")))!;

    [Fact]
    public void Every_setting_exists()
    {
        var names = DeployFolder.Files.SelectMany(file => Setting().Matches(File.ReadAllText(file))).Select(match => match.Groups[1].Value).Distinct().ToList();
        Assert.Contains("Store__Qdrant__Url", names);
        Assert.All(names, name => Assert.True(Exists(name.Split("__")), $"EMBEDDINGS_{name} is not a setting of the server"));
        Assert.False(Exists(["Store", "Qdrant", "Uri"]));
        Assert.False(Exists(["Models", "Directories", "First"]));
    }

    [Fact]
    public void Every_image_has_a_registry_and_a_tag()
    {
        var images = DeployFolder.Files.SelectMany(file => Image().Matches(File.ReadAllText(file))).Select(match => match.Groups[1].Value).ToList();
        Assert.True(images.Count > 6, string.Join(", ", images));
        Assert.All(images, image => Assert.Matches(@"^[a-z0-9-]+(\.[a-z0-9-]+)+(/[a-z0-9_-]+)+:(?!latest$)[A-Za-z0-9._-]+$", image));
        Assert.All(images.Where(image => image.Contains("/embeddings:", StringComparison.Ordinal)),
            image => Assert.EndsWith($":{DeployFolder.Version}", image, StringComparison.Ordinal));
    }

    private static bool Exists(string[] path)
    {
        var schema = Schema;
        for (var i = 0; i < path.Length; i++)
        {
            if (schema["items"] is not null)
            {
                return i == path.Length - 1 && int.TryParse(path[i], out _);
            }
            schema = schema["properties"]?[path[i]];
            if (schema is null)
            {
                return false;
            }
        }
        return schema["properties"] is null;
    }

    [GeneratedRegex(@"\bEMBEDDINGS_(\w+__\w+)")]
    private static partial Regex Setting();

    // In the Dockerfile, in YAML, and in the script.
    [GeneratedRegex(@"^(?:FROM | *image: |image=)(\S+)$", RegexOptions.Multiline)]
    private static partial Regex Image();
}
