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
        var command = new Command(
            "doctor",
            "Checks a deployment: the connection and its security, the server, its models and its store. Prints one line per check. "
            + "Uses a collection of its own, which is deleted at the end.");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var output = globals.Output(parsed);
            // No retries: a failure is the result.
            var deadline = TimeSpan.FromSeconds(15);
            using var client = globals.Client(parsed, options => options with { MaxRetries = 0, Deadline = deadline });
            var report = new DoctorReport(result => Print(output, result), TimeProvider.System);
            var image = SampleSet.Get(ItemKind.Image, 1, 1).Image;
            var face = SampleSet.Get(ItemKind.Face, 1, 1).Face;
            await new ConnectionChecks(client, report, TimeProvider.System).RunAsync(cancellationToken);
            await new ModelChecks(client, report, image, face).RunAsync(cancellationToken);
            await new StoreChecks(client, report).RunAsync(cancellationToken);
            var warnings = report.Warnings switch { 0 => "", 1 => ", 1 warning", var count => $", {count} warnings" };
            output.Line((report.Failed == 0 ? "all checks passed" : $"{report.Failed} checks failed") + warnings);
            return report.Failed == 0 ? ExitCode.Done : ExitCode.Failed;
        });
        return command;
    }

    private static void Print(Output output, CheckResult result)
    {
        var verdict = result.Verdict.ToString().ToLowerInvariant();
        var took = result.Took.TotalMilliseconds;
        output.Object(new { Check = result.Name, Verdict = verdict, result.Detail, Ms = Math.Round(took, 1) });
        var shown = result.Verdict is Verdict.Fail or Verdict.Warn ? verdict.ToUpperInvariant() : verdict;
        output.Line($"{shown,-4}  {result.Name,-28} {result.Detail} ({took:F0} ms)");
    }
}
