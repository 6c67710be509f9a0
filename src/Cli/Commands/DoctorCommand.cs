using System.CommandLine;
using Embeddings.Cli.Doctor;

namespace Embeddings.Cli.Commands;

/// <summary><c>embeddings doctor</c>: checks a deployment from outside; exit code 0 only if everything holds.</summary>
internal static class DoctorCommand
{
    public static Command Create(GlobalOptions globals)
    {
        var command = new Command("doctor",
            "Checks a deployment from outside: the server, its models, its store. Works on a collection of its own, which it drops at the end. A line a check.");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var output = globals.Output(parsed);
            // Once each: what is wrong is to be told, not waited for.
            using var client = globals.Client(parsed, options => options with { MaxRetries = 0, Deadline = TimeSpan.FromSeconds(15) });
            var report = new DoctorReport(output, TimeProvider.System);
            await new ModelChecks(client, report).RunAsync(cancellationToken);
            await new StoreChecks(client, report).RunAsync(cancellationToken);
            output.Line(report.Failed == 0 ? "all checks hold" : $"{report.Failed} checks do not hold");
            return report.Failed == 0 ? ExitCode.Done : ExitCode.Failed;
        });
        return command;
    }
}
