// Running the tests and counting them.
using System.Xml.Linq;

const string TestResults = "artifacts/test-results";

// A crash brings its whole stack; the full text is above and in the .trx file.
const int LinesOfAFailure = 12;

Task("__RunTests").Does(() =>
{
    EnsureDirectoryExists(TestResults);
    CleanDirectory(TestResults);

    // One project at a time: two that start servers and fill memory would slow each other down. A test that hangs is ended and counts as failed.
    var code = Execute(
        "dotnet",
        $"test {Solution} -c {Configuration} --no-build --nologo -m:1 --logger \"trx;LogFilePrefix=tests\" --results-directory {TestResults} "
            + $"--blame-hang-timeout 10m --blame-hang-dump-type none {extraArguments}");

    var runs = GetFiles(TestResults + "/**/*.trx").Select(file => TestRun.Read(file.FullPath)).ToList();
    var failures = runs.SelectMany(run => run.Failures).ToList();
    var expected = GetFiles("tests/*.Tests/*.csproj").Count;
    if (extraArguments.Length == 0 && runs.Count < expected)
    {
        failures.Add(new("(test run)", $"{expected - runs.Count} of {expected} test projects gave no results"));
    }
    else if (code != 0 && failures.Count == 0)
    {
        failures.Add(new("(test run)", $"dotnet test ended with code {code}"));
    }

    foreach (var failure in failures)
    {
        Say($"FAILED {failure.Name}");
        foreach (var line in failure.Message.Trim().Split('\n').Take(LinesOfAFailure))
        {
            Say($"       {line.TrimEnd()}");
        }
    }
    var passed = runs.Sum(run => run.Passed);
    var skipped = runs.Sum(run => run.Skipped);
    if (passed + failures.Count == 0)
    {
        Say("no test ran");
    }
    Say($"{passed} passed, {failures.Count} failed{(skipped > 0 ? $", {skipped} skipped" : "")}");

    // The counts are the last line, so the build ends here and not with Cake's own words.
    Environment.Exit(failures.Count == 0 && passed > 0 ? 0 : 1);
});

sealed record Failure(string Name, string Message);

// What one project's .trx file says.
sealed record TestRun(int Passed, int Skipped, IReadOnlyList<Failure> Failures)
{
    public static TestRun Read(string path)
    {
        XNamespace ns = "http://microsoft.com/schemas/VisualStudio/TeamTest/2010";
        var root = XDocument.Load(path).Root!;
        var results = root.Descendants(ns + "UnitTestResult").ToLookup(result => (string?)result.Attribute("outcome"));
        var failures = results
            .Where(group => group.Key is not ("Passed" or "NotExecuted"))
            .SelectMany(group => group)
            .Select(result => new Failure((string?)result.Attribute("testName") ?? "?", result.Descendants(ns + "Message").FirstOrDefault()?.Value ?? "no message"));

        // A test host that crashed leaves no result for the test that did it, only a word about the run. The runner notes each failing test there, too.
        var errors = root.Descendants(ns + "RunInfo")
            .Where(info => (string?)info.Attribute("outcome") == "Error")
            .Select(info => info.Value.Trim())
            .Where(text => !text.EndsWith("[FAIL]", StringComparison.Ordinal))
            .ToList();
        if (errors.Count > 0)
        {
            failures = failures.Append(new("(test run)", string.Join("\n", errors)));
        }
        return new(results["Passed"].Count(), results["NotExecuted"].Count(), [.. failures]);
    }
}
