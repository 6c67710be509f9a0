// One scenario in every language against one server: clients/README.md says what it is, clients/LANGUAGE/interop does it.
#load "interop-parts.cake"
using System.Text.Json;

const string InteropResults = "artifacts/interop";

// Minutes, not more: a program that hangs is ended and has failed.
const int HaveSeconds = 300, BuildSeconds = 600, TestSeconds = 240, RunSeconds = 240, SecureSeconds = 120;

var interopLanguages = new Language[]
{
    new("python", "python3-grpcio python3-protobuf python3-numpy python3-pil mypy haproxy protobuf-compiler protobuf-compiler-grpc libprotobuf-dev"),
    new("pip", "", "python/interop/pip.sh"),
    new("node", ""),
    new("go", "golang-go golang-google-grpc-dev golang-github-golang-protobuf-1-5-dev golang-google-protobuf-dev protoc-gen-go protoc-gen-go-grpc protobuf-compiler"),
    new("cpp", "haproxy g++ cmake make pkg-config libgrpc++-dev libprotobuf-dev protobuf-compiler protobuf-compiler-grpc"),
    new("java", "haproxy default-jdk-headless libgrpc-java libprotobuf-java libnetty-java libnetty-tcnative-java libperfmark-java libgeronimo-annotation-1.3-spec-java protobuf-compiler protobuf-compiler-grpc-java-plugin"),
};

// The command is all that this needs of the build.
Task("__CompileCommand").Does(() =>
    ExecuteOrFail("dotnet", $"build src/Cli -c {Configuration} --nologo -v minimal", "the build failed"));

Task("__RunInterop").Does(() =>
{
    EnsureDirectoryExists(InteropResults);
    CleanDirectory(InteropResults);
    // What stands after `interop` names the languages; all where nothing does.
    var asked = extraArguments.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(word => word.Trim('"')).ToList();
    var languages = interopLanguages.Where(language => asked.Count == 0 || asked.Contains(language.Name)).Select(language => new LanguageRun(language)).ToList();
    if (languages.Count == 0 || languages.Count < asked.Count)
    {
        Fail($"there are these languages: {string.Join(", ", interopLanguages.Select(language => language.Name))}");
    }

    languages.ForEach(GetReady);
    var page = new List<string>();
    {
        using var server = InteropServer.Start(Configuration, Say);
        foreach (var run in languages.Where(run => run.Missing is null && run.Built))
        {
            RunScenario(run, server.Address);
        }
        if (asked.Count == 0)
        {
            Say("docs/debugging.md: running its lines ...");
            page = Child.Run("node", [$"{LintFolder}/debugging.mjs", server.Address], RunSeconds).Lines;
        }
    }
    using (var files = new SecureFolder(Configuration))
    {
        using var server = InteropServer.Start(Configuration, Say, files.Settings);
        foreach (var run in languages.Where(run => run.Missing is null && run.Built))
        {
            RunSecure(run, server.Address, files.ClientFiles);
        }
    }
    CompareVectors(languages.Where(run => run.Missing is null).ToList());
    Environment.Exit(InteropTable.Print(languages, page, pageExpected: asked.Count == 0, Say) ? 0 : 1);
});

// Fetches what is missing, makes the stubs and builds.
void GetReady(LanguageRun run)
{
    var have = Do(run, "have", HaveSeconds);
    if (have.Code != 0 && run.Language.Packages.Length > 0 && InstallFromDebian(run.Language.Packages))
    {
        have = Do(run, "have", HaveSeconds);
    }
    if (have.Code != 0)
    {
        run.Missing = have.LastLine;
        return;
    }
    Say($"{run.Language.Name}: building ...");
    var build = Do(run, "build", BuildSeconds);
    run.Built = build.Code == 0;
    run.Note("build", run.Built, build.LastLine);
}

void RunScenario(LanguageRun run, string address)
{
    Say($"{run.Language.Name}: running ...");
    var vectors = System.IO.Path.GetFullPath($"{InteropResults}/{run.Language.Name}.json");
    var outcome = Do(run, "run", RunSeconds, address, System.IO.Path.GetFullPath("clients/testdata/sample.jpg"), vectors);
    run.Take(outcome);
    run.Abort(outcome.TimedOut ? $"not done within {RunSeconds} s" : $"the program ended with code {outcome.Code}: {outcome.LastLine}");
    if (FileExists(vectors))
    {
        run.Vectors = JsonSerializer.Deserialize<Dictionary<string, double[]>>(System.IO.File.ReadAllText(vectors));
    }
    // The language's own tests and examples.
    var tests = Do(run, "test", TestSeconds, address);
    run.Note("tests", tests.Code == 0, tests.LastLine);
}

// TLS, client certificates, and API keys, against a server that requires them.
void RunSecure(LanguageRun run, string address, string files)
{
    Say($"{run.Language.Name}: running with TLS ...");
    var outcome = Do(run, "secure", SecureSeconds, address, files);
    run.Note("secure", false, outcome.TimedOut ? $"not done within {SecureSeconds} s" : $"the program ended with code {outcome.Code}: {outcome.LastLine}");
    run.Take(outcome);
}

// The same pictures must give the same vectors, whoever asks.
void CompareVectors(List<LanguageRun> runs)
{
    const double Tolerance = 1e-6;
    foreach (var run in runs)
    {
        var other = runs.FirstOrDefault(candidate => candidate != run && candidate.HasVectors);
        if (!run.HasVectors)
        {
            run.Note("vectors", false, "it wrote no vectors");
        }
        else if (other is null)
        {
            run.Skip("vectors");
        }
        else
        {
            var distance = run.Vectors!.Max(pair => LanguageRun.Distance(pair.Value, other.Vectors![pair.Key]));
            run.Note("vectors", distance <= Tolerance, $"{distance:g3} from those of {other.Language.Name}");
        }
    }
}

// Whether Debian's packages could be installed; only root may.
bool InstallFromDebian(string packages)
{
    if (!IsRunningOnLinux() || Environment.UserName != "root" || Capture("apt-get", "--version", out _) != 0)
    {
        Say($"On Debian: apt-get install {packages}");
        return false;
    }
    Say($"installing {packages} ...");
    Child.Run("apt-get", ["-qq", "update"], HaveSeconds);
    var outcome = Child.Run("env", ["DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "install", "-y", "--no-install-recommends", .. packages.Split(' ')], BuildSeconds);
    if (outcome.Code != 0)
    {
        Say(outcome.LastLine);
    }
    return outcome.Code == 0;
}

Outcome Do(LanguageRun run, string verb, int seconds, params string[] arguments)
{
    var outcome = Child.Run("sh", [$"clients/{run.Language.Script}", verb, .. arguments], seconds);
    System.IO.File.WriteAllLines($"{InteropResults}/{run.Language.Name}-{verb}.log", outcome.Lines);
    return outcome;
}
