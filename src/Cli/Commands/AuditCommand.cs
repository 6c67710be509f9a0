using System.CommandLine;
using System.Globalization;
using Embeddings.Cli.Printing;
using Embeddings.Primitives.Auditing;

namespace Embeddings.Cli.Commands;

/// <summary><c>embeddings audit</c>: verifies the audit log of a server, without the server.</summary>
internal static class AuditCommand
{
    public static Command Create(GlobalOptions globals) => new("audit", "Verifies the audit log of a server, without the server.")
    {
        Verify(globals), Digest(globals),
    };

    private static Command Verify(GlobalOptions globals)
    {
        var files = new Argument<string[]>("FILE")
        {
            Description = "The files of one log, in any order.",
            Arity = ArgumentArity.OneOrMore,
        };
        var key = CommonOptions.Text("--key", null, "File with the key of the log (Audit:KeyFile).");
        var expect = CommonOptions.Text(
            "--expect", null, "Hash that a line of the log must have, from an earlier verification. Finds lines that are missing at the end.");
        var verify = new Command(
            "verify",
            "Verifies the hash chain of an audit log: finds lines that were changed, removed, inserted, or reordered, and names "
                + "file and line. If the head file is next to a file, lines missing at the end are found, too. The exit code is 1 "
                + "if something was found.")
        {
            files, key, expect,
        };
        verify.SetAction((parsed, cancellationToken) => Task.Run(
            () =>
            {
                var paths = parsed.GetValue(files)!;
                if (paths.FirstOrDefault(static path => !File.Exists(path)) is { } missing)
                {
                    throw ArgumentErrors.New($"There is no file '{missing}'.");
                }
                var secret = parsed.GetValue(key) is { } path ? ReadKey(path) : null;
                var report = AuditVerifier.Verify(paths, secret, parsed.GetValue(expect)?.Trim(), cancellationToken);
                return Print(globals.Output(parsed), report);
            },
            cancellationToken));
        return verify;
    }

    private static Command Digest(GlobalOptions globals)
    {
        var ids = new Argument<string[]>("ID")
        {
            Description = "The ids of one call, in their order.",
            Arity = ArgumentArity.OneOrMore,
        };
        var digest = new Command("digest", "Prints the digest of ids as in the lines of an audit log, to find the calls that named them.")
        {
            ids,
        };
        digest.SetAction(parsed =>
        {
            var output = globals.Output(parsed);
            var value = AuditDigest.Of(parsed.GetValue(ids)!);
            output.Object(new { Digest = value });
            output.Line(value);
            return ExitCode.Done;
        });
        return digest;
    }

    private static byte[] ReadKey(string path)
    {
        try
        {
            return AuditChain.ReadKey(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            throw ArgumentErrors.New(e.Message);
        }
    }

    private static int Print(Output output, AuditReport report)
    {
        foreach (var problem in report.Problems)
        {
            output.Object(new { problem.File, problem.Line, Problem = problem.What });
            output.Line($"{problem}");
        }
        foreach (var note in report.Notes)
        {
            output.Note($"{note}");
        }
        output.Object(new { report.Lines, report.First, report.Last, report.Hash, Intact = report.IsIntact });
        output.Line(report.Lines == 0
            ? "There are no intact lines."
            : string.Create(
                CultureInfo.InvariantCulture,
                $"{report.Lines:N0} intact lines, seq {report.First} to {report.Last}; hash of the last line: {report.Hash}"));
        output.Line(report.IsIntact ? "The log is intact." : "The log is NOT intact.");
        return report.IsIntact ? ExitCode.Done : ExitCode.Failed;
    }
}
