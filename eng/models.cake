// Preparing the default models: fetches the packages that hold their weights, and makes the models of them, once per change of either.
const string ModelSources = "artifacts/model-sources";
const string PreparedModels = "artifacts/models";
const string FaceArchive = ModelSources + "/faceplugin-face-recognition-js-0.0.1.tgz";

// What to do without them; the same words wherever they are missing.
const string WithoutModels = "To go on without them: ./build.sh run --models none, or --models DIR with models of your own";

string[] preparedFiles = ["resnet18.onnx.data", .. ((string[])["resnet18", "mobilefacenet", "ultraface", "landmarks68", "optional/liveness", "optional/pose"])
    .SelectMany(model => (string[])[$"{model}.onnx", $"{model}.json", $"{model}.licence.txt"])];

Task("__PrepareModels").Does(() =>
{
    if (MissingForModels() is { } missing)
    {
        Fail($"the default models could not be prepared: {missing}. {WithoutModels}");
    }
});

// For verbs that are of use without the models, too: they continue, and what needs the models says so. `run` sets the variable: it needs them, or none.
Task("__TryPrepareModels").Does(() =>
{
    var wanted = EnvironmentVariable("BUILD_MODELS") ?? "";
    if (wanted != "none" && MissingForModels() is { } missing)
    {
        if (wanted == "required")
        {
            Fail($"the default models could not be prepared: {missing}. {WithoutModels}");
        }
        Warn($"the default models could not be prepared: {missing}. Tests of them are skipped, and the server starts with --models none or --models DIR only");
    }
});

void Warn(string message) => Console.Error.WriteLine($"build: {message}");

// Prepares the models unless they are up to date; null, or what is missing for it.
string? MissingForModels()
{
    var inputs = ModelInputs();
    var stamp = ModelSources + "/stamp.txt";
    if (FileExists(stamp) && System.IO.File.ReadAllText(stamp) == inputs && preparedFiles.All(file => FileExists($"{PreparedModels}/{file}")))
    {
        return null;
    }
    EnsureDirectoryExists(ModelSources);
    Say("preparing the default models ...");
    if (!FileExists(FaceArchive))
    {
        if (Capture("node", "--version", out _) != 0 || Capture(Npm, "--version", out _) != 0)
        {
            return "Node.js with npm is missing (https://nodejs.org)";
        }
        // The archive alone: none of its dependencies, and no script.
        if (Capture(Npm, $"pack faceplugin-face-recognition-js@0.0.1 --ignore-scripts --loglevel=error --pack-destination {ModelSources}", out var words) != 0)
        {
            return $"npm could not fetch faceplugin-face-recognition-js 0.0.1 ({Reason(words)})";
        }
    }
    const string Sources = "models/Sources/Embeddings.Models.Sources.csproj";
    if (Capture("dotnet", $"restore {Sources} -v quiet", out var restored) != 0)
    {
        return $"NuGet could not fetch Microsoft.ML.DnnImageFeaturizer.ResNet18 0.23.1 ({Reason(restored)})";
    }
    if (Capture("dotnet", $"msbuild {Sources} -getProperty:NuGetPackageRoot", out var root) != 0)
    {
        return $"the folder of NuGet's packages is not known ({Reason(root)})";
    }
    if (Capture("dotnet", $"build models/Maker -c {Configuration} --nologo -v quiet", out var built) != 0)
    {
        return $"models/Maker could not be built ({Reason(built)})";
    }
    var maker = $"models/Maker/bin/{Configuration}/net10.0/Embeddings.Models.Maker.dll";
    var packages = root.First(line => line.Trim().Length > 0).Trim().TrimEnd('/', '\\');
    if (Capture("dotnet", $"{maker} \"{packages}\" {FaceArchive} {ModelSources} {PreparedModels}", out var made) != 0)
    {
        return Reason(made);
    }
    made.Where(line => line.Length > 0).ToList().ForEach(Say);
    System.IO.File.WriteAllText(stamp, inputs);
    return null;
}

// One line of what a tool printed: the first that names an error, or the last.
string Reason(List<string> words)
{
    var lines = words.Select(line => line.Trim()).Where(line => line.Length > 0).ToList();
    return (lines.FirstOrDefault(line => line.Contains("error", StringComparison.OrdinalIgnoreCase)) ?? lines.LastOrDefault() ?? "it printed no reason").TrimEnd('.');
}

// Checksums of all that the models' bytes depend on. Which source files are taken, with their SHA-256, is in the code.
string ModelInputs() => string.Join('\n', GetFiles("models/Maker/*.cs")
    .Concat(GetFiles("src/Tooling/Onnx/*.cs"))
    .Concat(GetFiles("src/Tooling/Onnx/*.proto"))
    .Concat(GetFiles("models/Sources/*.csproj"))
    .Select(file => $"{file.GetFilename()} {Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(System.IO.File.ReadAllBytes(file.FullPath)))}")
    .Order(StringComparer.Ordinal));
