// Running the tests and counting them, by what the test platform prints.
using System.Text.RegularExpressions;

const string TestResults = "artifacts/test-results";

// A crash prints its whole stack; the full text is further up in the output.
const int LinesOfAFailure = 12;

// The platform's exit codes of a project with failed tests, and of one without a test that matches the filter.
const string TestsFailed = "Exit code: 2", NoTestRan = "8";

Task("__RunTests").Does(() =>
{
    EnsureDirectoryExists(TestResults);
    CleanDirectory(TestResults);

    // A project in which no test starts or ends for ten minutes is ended and counts as failed. One project at a time:
    // two that start servers and fill memory would slow each other down.
    var run = new TestRun();
    var filtered = extraArguments.Length > 0;
    var code = StartProcess("dotnet", new ProcessSettings
    {
        Arguments = $"test --solution {Solution} -c {Configuration} --no-build --no-ansi --no-progress "
            + $"--max-parallel-test-modules 1 --results-directory {TestResults} "
            + "--hangdump --hangdump-timeout 10m --hangdump-type None "
            + (filtered ? $"--ignore-exit-code {NoTestRan} {extraArguments}" : ""),
        RedirectStandardOutput = true,
        RedirectedStandardOutputHandler = line =>
        {
            Say(line ?? "");
            run.Read(line ?? "");
            return line;
        },
    });

    // A failed project without failed tests has crashed, hung or found no test.
    var failures = run.Blocks.Where(block => !block.Lines.Contains(TestsFailed)).ToList();
    foreach (var log in GetFiles(TestResults + "/**/*_hang.log"))
    {
        var project = failures.FirstOrDefault(block => log.GetFilename().ToString().StartsWith(block.Name + "_"));
        if (project is null)
        {
            project = new(log.GetFilename().ToString(), []);
            failures.Add(project);
        }
        project.Lines.InsertRange(0, ["no test ended for ten minutes; still running:", .. System.IO.File.ReadAllLines(log.FullPath)]);
    }
    var expected = GetFiles("tests/*Tests/*.csproj").Count;
    if (run.Projects < expected)
    {
        failures.Add(new("(test run)", [$"{expected - run.Projects} of {expected} test projects gave no results"]));
    }
    else if (code != 0 && failures.Count == 0)
    {
        failures.Add(new("(test run)", [$"dotnet test ended with code {code}"]));
    }

    foreach (var failure in failures)
    {
        Say($"FAILED {failure.Name}");
        foreach (var line in failure.Lines.Take(LinesOfAFailure))
        {
            Say($"       {line}");
        }
    }
    var (passed, skipped) = (run.Counts["succeeded"], run.Counts["skipped"]);
    var failed = Math.Max(failures.Count, run.Counts["failed"]);
    if (passed + failed == 0)
    {
        Say("no test ran");
    }
    Say($"{passed} passed, {failed} failed{(skipped > 0 ? $", {skipped} skipped" : "")}");

    // The counts are the last line, so the build ends here and not with Cake's own words.
    Environment.Exit(failed == 0 && passed > 0 ? 0 : 1);
});

Task("__RunFuzzing").Does(() =>
{
    var inputs = EnvironmentVariable("FUZZ_INPUTS") ?? "1000000";
    var code = StartProcess("dotnet", new ProcessSettings
    {
        Arguments = $"test --project tests/IntegrationTests -c {Configuration} --no-build --no-ansi --no-progress "
            + "--show-live-output on --filter-class *.FuzzTests",
        EnvironmentVariables = new Dictionary<string, string> { ["FUZZ_INPUTS"] = inputs },
    });
    if (code != 0)
    {
        Fail($"fuzzing with {inputs} inputs failed");
    }
});

// A failed test or project, and the lines below it.
sealed record FailureBlock(string Name, List<string> Lines);

// The output of `dotnet test`, line by line: failed tests, failed projects, and the counts at the end.
sealed class TestRun
{
    static readonly Regex
        FailedTest = new(@"^failed (.+) \([^()]*\)$"),
        FailedProject = new(@"^(?! )(?:.*[\\/])?([^\\/]+)\.dll \([^()]*\) (?:failed|Zero tests ran)"),
        Count = new(@"^  (failed|succeeded|skipped): (\d+)$");

    FailureBlock? block;

    public List<FailureBlock> Blocks { get; } = [];
    public Dictionary<string, int> Counts { get; } = new() { ["succeeded"] = 0, ["failed"] = 0, ["skipped"] = 0 };
    public int Projects { get; private set; }

    public void Read(string line)
    {
        if ((FailedTest.Match(line) is { Success: true } test ? test : FailedProject.Match(line)) is { Success: true } failure)
        {
            block = new(failure.Groups[1].Value, []);
            Blocks.Add(block);
        }
        else if (line.StartsWith("Running tests from ", StringComparison.Ordinal))
        {
            Projects++;
            block = null;
        }
        else if (Count.Match(line) is { Success: true } count)
        {
            Counts[count.Groups[1].Value] = int.Parse(count.Groups[2].Value);
        }
        else if (block is not null && (line.StartsWith("  ", StringComparison.Ordinal) || line.StartsWith("Exit code: ", StringComparison.Ordinal)))
        {
            // The first line below a test names its project's file.
            if (!line.StartsWith("  from ", StringComparison.Ordinal))
            {
                block.Lines.Add(line.Trim());
            }
        }
        else
        {
            block = null;
        }
    }
}
