using System.CommandLine;
using Embeddings.Cli.Printing;
using Embeddings.Cli.Samples;
using Embeddings.Tooling.Doctor;

namespace Embeddings.Cli.Commands;

/// <summary><c>embeddings doctor</c>: checks a deployment. The exit code is 0 only if all checks pass.</summary>
internal static class DoctorCommand
{
    public static Command Create(GlobalOptions globals)
    {
        var command = new Command("doctor",
            "Checks a deployment: the server, its models and its store. Prints one line per check. Uses a collection "
                + "of its own, which is deleted at the end.");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var output = globals.Output(parsed);
            // No retries: a failure is the result.
            using var client = globals.Client(parsed, options => options with { MaxRetries = 0, Deadline = TimeSpan.FromSeconds(15) });
            var report = new DoctorReport(result => Print(output, result), TimeProvider.System);
            var models = new ModelChecks(client, report, SampleSet.Get(ItemKind.Image, 1, 1).Image, SampleSet.Get(ItemKind.Face, 1, 1).Face);
            await models.RunAsync(cancellationToken);
            await new StoreChecks(client, report).RunAsync(cancellationToken);
            output.Line(report.Failed == 0 ? "all checks passed" : $"{report.Failed} checks failed");
            return report.Failed == 0 ? ExitCode.Done : ExitCode.Failed;
        });
        return command;
    }

    private static void Print(Output output, CheckResult result)
    {
        output.Object(json =>
        {
            json.WriteString("check", result.Name);
            json.WriteString("verdict", result.Verdict.ToString().ToLowerInvariant());
            json.WriteString("detail", result.Detail);
            json.WriteNumber("ms", Math.Round(result.Took.TotalMilliseconds, 1));
        });
        var verdict = result.Verdict == Verdict.Fail ? "FAIL" : result.Verdict.ToString().ToLowerInvariant();
        output.Line($"{verdict,-4}  {result.Name,-28} {result.Detail} ({result.Took.TotalMilliseconds:F0} ms)");
    }
}
