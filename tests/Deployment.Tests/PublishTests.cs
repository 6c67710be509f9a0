using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text.Json;

namespace Embeddings.Deployment.Tests;

/// <summary>The bill of materials and the checksums of the publish step, in <c>artifacts/publish</c>.</summary>
public sealed class PublishTests
{
    private static readonly string Folder = Path.Combine(Repository.Root, "artifacts", "publish");

    [PublishedFact]
    public void The_bill_of_materials_lists_the_packages_of_the_lock_file()
    {
        var locked = JsonDocument.Parse(File.ReadAllText(Path.Combine(Repository.Root, "src", "Cli", "packages.lock.json"))).RootElement
            .GetProperty("dependencies").EnumerateObject()
            .SelectMany(framework => framework.Value.EnumerateObject())
            .Where(package => package.Value.GetProperty("type").GetString() != "Project")
            .Select(package => (Name: package.Name.ToLowerInvariant(), Version: package.Value.GetProperty("resolved").GetString()!))
            .Distinct()
            .ToList();
        Assert.True(locked.Count > 20);
        foreach (var platform in Directory.GetDirectories(Folder))
        {
            var bill = JsonDocument.Parse(File.ReadAllText(Path.Combine(platform, "sbom.cdx.json"))).RootElement;
            Assert.Equal("CycloneDX", bill.GetProperty("bomFormat").GetString());
            Assert.Equal(DeployFolder.Version, bill.GetProperty("metadata").GetProperty("component").GetProperty("version").GetString());
            var listed = bill.GetProperty("components").EnumerateArray()
                .Select(component => (Name: component.GetProperty("name").GetString()!.ToLowerInvariant(), Version: component.GetProperty("version").GetString()!))
                .ToHashSet();
            // Analyzers and code generators only run in the build.
            var missing = locked.Where(package => !listed.Contains(package) && !IsForTheBuild(package.Name)).ToList();
            Assert.True(missing.Count == 0, $"{platform}: {string.Join(", ", missing)}");
            Assert.All(bill.GetProperty("components").EnumerateArray(), component =>
                Assert.StartsWith("pkg:nuget/", component.GetProperty("purl").GetString(), StringComparison.Ordinal));
        }
    }

    [PublishedFact]
    public void The_checksums_are_those_of_all_files()
    {
        foreach (var platform in Directory.GetDirectories(Folder))
        {
            var lines = File.ReadAllLines(Path.Combine(platform, "SHA256SUMS"));
            var sums = lines.ToDictionary(line => line[66..], line => line[..64], StringComparer.Ordinal);
            Assert.All(lines, line => Assert.Equal("  ", line[64..66]));
            var files = Directory.GetFiles(platform, "*", SearchOption.AllDirectories)
                .Select(file => Path.GetRelativePath(platform, file).Replace('\\', '/'))
                .Where(file => file != "SHA256SUMS")
                .Order(StringComparer.Ordinal);
            Assert.Equal(files, sums.Keys.Order(StringComparer.Ordinal));
            Assert.All(sums, sum =>
            {
                using var content = File.OpenRead(Path.Combine(platform, sum.Key));
                Assert.Equal(sum.Value, Convert.ToHexStringLower(SHA256.HashData(content)));
            });
        }
    }

    private static bool IsForTheBuild(string package) =>
        package is "grpc.tools" || package.StartsWith("microsoft.codeanalysis.", StringComparison.Ordinal)
            || package.StartsWith("microsoft.net.illink.", StringComparison.Ordinal);

    /// <summary>A test of the published files; skipped with the reason before the publish step.</summary>
    private sealed class PublishedFactAttribute : FactAttribute
    {
        public PublishedFactAttribute([CallerFilePath] string? sourceFilePath = null, [CallerLineNumber] int sourceLineNumber = -1)
            : base(sourceFilePath, sourceLineNumber) =>
            Skip = Directory.Exists(Folder) ? null : "nothing is published: ./build.sh publish";
    }
}
