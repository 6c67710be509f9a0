// Making packages and the programs of the container image.
const string Packages = "artifacts/packages";
const string Published = "artifacts/publish";
const string CommandProject = "src/Cli";

// With a platform, NuGet adds that platform's section to the lock files. The committed ones have none, so that machines of
// all platforms restore the same; these go to obj.
string ForPlatform(string rid) => $"-r {rid} -p:NuGetLockFilePath=obj/{rid}.packages.lock.json";

Task("__Pack").Does(() =>
{
    EnsureDirectoryExists(Packages);
    CleanDirectory(Packages);

    // The command as a package per platform and one that names them. They use the runtime of the machine, so they have no
    // executable of their own. The one without a platform is last and leaves obj as the other steps expect it.
    Capture("dotnet", $"msbuild {CommandProject} -getProperty:ToolPackageRuntimeIdentifiers", out var platforms);
    foreach (var rid in platforms.First().Split(';'))
    {
        PackProject(CommandProject, $"{ForPlatform(rid)} -p:SelfContained=false -p:UseAppHost=false");
        DeletePlatform(rid);
    }
    PackProject(CommandProject, "-p:CreateRidSpecificToolPackages=false");
    PackProject("src/Contract", "");
    PackProject("src/Client", "");
    // The wheel of the Python client.
    if (IsRunningOnWindows() || Capture("python3", "-m pip --version", out _) != 0)
    {
        Say("The Python wheel is not made: it needs sh, and python3 with pip.");
    }
    else
    {
        ExecuteOrFail("sh", $"clients/python/pack.sh {Packages}", "the wheel of the Python client could not be made");
    }
    foreach (var package in GetFiles(Packages + "/*.nupkg").Concat(GetFiles(Packages + "/*.whl")))
    {
        Say($"{Packages}/{package.GetFilename()}: {FileSize(package) / 1e6:0.0} MB");
    }
});

void PackProject(string project, string arguments) => ExecuteOrFail(
    "dotnet", $"pack {project} -c {Configuration} --nologo -v quiet -o {Packages} {arguments} {extraArguments}", $"{project} could not be packed");

// A folder per platform that runs on a machine without .NET, named as container engines name it, with the list of its packages
// and the checksums of its files. --rid selects one.
Task("__Publish").Does(() =>
{
    var folders = new List<string>();
    var one = System.Text.RegularExpressions.Regex.Match(extraArguments, "\"--rid\" \"([a-z0-9-]+)\"");
    foreach (var rid in one.Success ? [one.Groups[1].Value] : new[] { "linux-x64", "linux-arm64" })
    {
        var folder = $"{Published}/{rid.Replace("linux-x64", "linux-amd64")}";
        CleanDirectory(folder);
        ExecuteOrFail(
            "dotnet",
            $"publish {CommandProject} -c {Configuration} {ForPlatform(rid)} --self-contained -p:PublishAhead=true -p:DebugType=none -o {folder} --nologo -v quiet",
            "the command could not be published");
        DeletePlatform(rid);
        folders.Add(folder);
        Say($"{folder}: for {rid}");
    }
    ExecuteOrFail("dotnet", $"restore {CommandProject} --locked-mode -v quiet", "the packages could not be restored");
    WriteBillOfMaterials(folders);
    foreach (var folder in folders)
    {
        WriteChecksums(folder);
    }
});

const string BillOfMaterials = "sbom.cdx.json", Checksums = "SHA256SUMS";

// The packages of the command, which contains the server, as CycloneDX. Those of all platforms: the restore before has none.
void WriteBillOfMaterials(IReadOnlyList<string> folders)
{
    Capture("dotnet", $"msbuild {CommandProject} -getProperty:Version", out var version);
    var code = Capture(
        "dotnet",
        $"CycloneDX {CommandProject}/Embeddings.Cli.csproj --disable-package-restore --output {folders[0]} "
            + $"--filename {BillOfMaterials} --output-format Json --spec-version 1.6 --set-name Embeddings --set-version {version.First()}",
        out var output);
    if (code != 0 || !FileExists($"{folders[0]}/{BillOfMaterials}"))
    {
        Fail($"the bill of materials could not be made: {string.Join(" ", output.TakeLast(3))}");
    }
    foreach (var folder in folders.Skip(1))
    {
        CopyFile($"{folders[0]}/{BillOfMaterials}", $"{folder}/{BillOfMaterials}");
    }
}

// In the form of sha256sum, which checks it: cd artifacts/publish/linux-amd64 && sha256sum --check SHA256SUMS
void WriteChecksums(string folder)
{
    var root = MakeAbsolute(Directory(folder));
    var lines = GetFiles($"{folder}/**/*")
        .Select(file => root.GetRelativePath(file).ToString())
        .Where(file => file != Checksums)
        .Order(StringComparer.Ordinal)
        .Select(file =>
        {
            using var content = System.IO.File.OpenRead($"{folder}/{file}");
            return $"{Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(content))}  {file}\n";
        });
    System.IO.File.WriteAllText($"{folder}/{Checksums}", string.Concat(lines));
}

// Each platform's build contains the models: some hundred megabytes that nothing uses afterwards.
void DeletePlatform(string rid)
{
    foreach (var folder in GetDirectories($"src/*/bin/{Configuration}/net10.0/{rid}"))
    {
        DeleteDirectory(folder, new DeleteDirectorySettings { Recursive = true, Force = true });
    }
}
