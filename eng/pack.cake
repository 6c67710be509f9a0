// Making packages.
const string Packages = "artifacts/packages";

Task("__Pack").Does(() =>
{
    EnsureDirectoryExists(Packages);
    CleanDirectory(Packages);

    var projects = new List<string> { "src/Contract/Embeddings.Contract.csproj", "src/Client/Embeddings.Client.csproj" };
    const string Tool = "src/Cli/Embeddings.Cli.csproj";
    if (System.IO.File.ReadAllText(Tool).Contains("<PackAsTool>true</PackAsTool>"))
    {
        projects.Add(Tool);
    }
    foreach (var project in projects)
    {
        ExecuteOrFail("dotnet", $"pack {project} -c {Configuration} --nologo -v minimal -o {Packages} {extraArguments}", $"{project} could not be packed");
    }
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
        Say($"{Packages}/{package.GetFilename()}");
    }
});

// One folder that runs on a machine without .NET. Only what stands after --rid is taken from the arguments.
Task("__Publish").Does(() =>
{
    var rid = System.Text.RegularExpressions.Regex.Match(extraArguments, "\"--rid\" \"([a-z0-9-]+)\"") is { Success: true } match ? match.Groups[1].Value : "linux-x64";
    CleanDirectory("artifacts/publish");
    ExecuteOrFail("dotnet", $"publish src/Cli -c {Configuration} -r {rid} --self-contained -p:NativeRid={rid} -p:DebugType=none -o artifacts/publish --nologo -v minimal", "the command could not be published");
    Say($"artifacts/publish: for {rid}");
});
