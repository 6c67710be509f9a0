using System.IO.Compression;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Xml.Linq;

namespace Embeddings.Deployment.Tests;

/// <summary>The packages of the pack step, in <c>artifacts/packages</c>.</summary>
public sealed class PackageTests : IDisposable
{
    private const long Mebibyte = 1 << 20;
    private const string Command = "Embeddings.Cli";

    private static readonly string Folder = Path.Combine(Repository.Root, "artifacts", "packages");

    private static readonly string[] Platforms = ["linux-arm64", "linux-x64", "osx-arm64", "win-arm64", "win-x64"];

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [PackagesFact]
    public void Packages_are_below_their_sizes_and_have_a_readme()
    {
        // The gallery takes 250 MB.
        var limits = Platforms.ToDictionary(platform => $"{Command}.{platform}", _ => 120 * Mebibyte);
        limits[Command] = Mebibyte;
        limits["Embeddings.Client"] = Mebibyte;
        limits["Embeddings.Contract"] = Mebibyte;

        var packages = Directory.GetFiles(Folder, "*.nupkg");
        Assert.Equal(limits.Keys.Select(FileOf).Order(), packages.Select(file => Path.GetFileName(file)!).Order());
        foreach (var (name, limit) in limits)
        {
            var file = new FileInfo(Path.Combine(Folder, FileOf(name)));
            Assert.True(file.Length < limit, $"{file.Name} has {file.Length} bytes; the limit is {limit}");
            using var package = ZipFile.OpenRead(file.FullName);
            using var nuspec = package.GetEntry($"{name}.nuspec")!.Open();
            var readme = XDocument.Load(nuspec).Descendants().Single(element => element.Name.LocalName == "readme").Value;
            Assert.True(package.GetEntry(readme)?.Length > 200, $"{file.Name}: {readme}");
        }
    }

    [PackagesFact]
    public void A_tool_package_contains_the_files_of_its_platform_only()
    {
        foreach (var platform in Platforms)
        {
            using var package = ZipFile.OpenRead(Path.Combine(Folder, FileOf($"{Command}.{platform}")));
            var names = package.Entries.Select(entry => entry.FullName).ToList();
            var vips = platform[..3] switch { "win" => "libvips-42.dll", "osx" => "libvips.42.dylib", _ => "libvips.so.42" };
            Assert.Single(names, name => name.EndsWith($"/{vips}", StringComparison.Ordinal));
            Assert.Single(names, name => name.EndsWith("/models/resnet18.onnx", StringComparison.Ordinal));
            Assert.DoesNotContain(names, name => name.EndsWith(".aar", StringComparison.Ordinal) || name.EndsWith(".xcframework.zip", StringComparison.Ordinal));
            Assert.Single(names, name => name.Contains("onnxruntime.", StringComparison.Ordinal) && !name.EndsWith(".lib", StringComparison.Ordinal));
        }
    }

    [PackagesFact]
    public async Task The_tool_installs_from_the_packages_prints_its_version_and_demonstrates_itself()
    {
        var tools = _folder.File("tools");
        var (code, output) = await ChildProcess.RunAsync(
            "dotnet", ["tool", "install", Command, "--tool-path", tools, "--source", Folder, "--version", DeployFolder.Version], _folder.Path);
        Assert.True(code == 0, output);

        var command = Path.Combine(tools, OperatingSystem.IsWindows() ? "embeddings.exe" : "embeddings");
        var environment = new Dictionary<string, string> { ["DOTNET_ROOT"] = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "../../..")) };
        (code, output) = await ChildProcess.RunAsync(command, ["--version"], _folder.Path, environment);
        Assert.True(code == 0, output);
        Assert.Matches($@"^{DeployFolder.Version.Replace(".", @"\.", StringComparison.Ordinal)}(\+[0-9a-f]+)?$", output);

        (code, output) = await ChildProcess.RunAsync(command, ["run", "--once"], _folder.Path, environment);
        Assert.True(code == 0 && output.EndsWith("rank-1 24/24", StringComparison.Ordinal), output);
    }

    private static string FileOf(string package) => $"{package}.{DeployFolder.Version}.nupkg";

    /// <summary>A test of the packages; skipped with the reason before the pack step.</summary>
    private sealed class PackagesFactAttribute : FactAttribute
    {
        public PackagesFactAttribute([CallerFilePath] string? sourceFilePath = null, [CallerLineNumber] int sourceLineNumber = -1)
            : base(sourceFilePath, sourceLineNumber) => Skip = Directory.Exists(Folder) ? null : "there are no packages: ./build.sh pack";
    }
}
