// What all steps use: running programs and giving up in one line.
const string Solution = "Embeddings.slnx";
const string Configuration = "Release";

// What stood after the verb, as one quoted line.
string extraArguments = EnvironmentVariable("EMBEDDINGS_ARGUMENTS") ?? "";

// Cake's own way to fail prints more than one line, and after everything else.
void Fail(string message)
{
    Console.Error.WriteLine($"build: {message}");
    Environment.Exit(1);
}

void Say(string message) => Console.WriteLine(message);

// Runs a program with this console; its exit code.
int Execute(string program, string arguments, string directory = ".") =>
    StartProcess(program, new ProcessSettings { Arguments = arguments, WorkingDirectory = directory });

// The same, and gives up where it fails.
void ExecuteOrFail(string program, string arguments, string failure, string directory = ".")
{
    if (Execute(program, arguments, directory) != 0)
    {
        Fail(failure);
    }
}

// Runs a program and takes what it prints; its exit code, or -1 where it is not there.
int Capture(string program, string arguments, out List<string> lines, string directory = ".")
{
    try
    {
        var settings = new ProcessSettings
        {
            Arguments = arguments,
            WorkingDirectory = directory,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Silent = true,
        };
        var code = StartProcess(program, settings, out var output, out var errors);
        lines = [.. output, .. errors];
        return code;
    }
    catch (Exception)
    {
        lines = [];
        return -1;
    }
}

string Npm => IsRunningOnWindows() ? "npm.cmd" : "npm";

// Fetches what a package-lock.json pins, once per lock file.
void FetchNodeModules(string directory, string purpose)
{
    var locked = File(directory + "/package-lock.json");
    var installed = File(directory + "/node_modules/.locked");
    if (FileExists(installed) && System.IO.File.ReadAllText(installed) == System.IO.File.ReadAllText(locked))
    {
        return;
    }
    if (Capture("node", "--version", out _) != 0 || Capture(Npm, "--version", out _) != 0)
    {
        Fail($"Node.js with npm is missing; {purpose}: https://nodejs.org");
    }
    // Nothing fetched here needs to run anything to be installed.
    ExecuteOrFail(Npm, "ci --ignore-scripts --no-audit --no-fund --loglevel=error", $"npm could not fetch what {directory}/package-lock.json names", directory);
    CopyFile(locked, installed);
}
