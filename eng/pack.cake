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
    foreach (var package in GetFiles(Packages + "/*.nupkg"))
    {
        Say($"{Packages}/{package.GetFilename()}");
    }
    if (FileExists(StandinsSwitch))
    {
        Say("These were built against stand-ins: try them, but publish only what a full feed built.");
    }
});
