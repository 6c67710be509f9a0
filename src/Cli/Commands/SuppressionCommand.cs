using System.CommandLine;
using Embeddings.Server.Privacy;

namespace Embeddings.Cli.Commands;

/// <summary><c>embeddings suppression count</c> and <c>remove</c>: work on a suppression list without a server.</summary>
internal static class SuppressionCommand
{
    public static Command Create(GlobalOptions globals)
    {
        return new("suppression", "Works on a suppression list (Privacy:SuppressionFile). The server that uses it must be stopped.")
        {
            CreateCount(globals),
            CreateRemove(globals),
        };
    }

    private static Command CreateCount(GlobalOptions globals)
    {
        var file = File();
        var count = new Command("count", "Prints the number of entries.") { file };
        count.SetAction(parsed =>
        {
            using var list = Open(parsed.GetValue(file)!);
            globals.Output(parsed).Object(new { list.Count });
            globals.Output(parsed).Line($"{list.Count}");
            return ExitCode.Done;
        });
        return count;
    }

    private static Command CreateRemove(GlobalOptions globals)
    {
        var file = File();
        var jobs = new Option<string[]>("--job-id") { Description = "Job to permit again. Can be repeated." };
        var points = new Option<string[]>("--point-id")
        {
            Description = "Point to permit again; requires --collection. Can be repeated.",
        };
        var collection = CommonOptions.Text(
            "--collection", null, "Collection of the entries. [default: jobs that are suppressed in all collections]", "-c");
        var remove = new Command("remove", "Removes jobs or points from the list, so that they can be stored again.")
        {
            file, jobs, points, collection,
        };
        remove.SetAction(parsed =>
        {
            var name = parsed.GetValue(collection) ?? "";
            var (jobIds, pointIds) = (parsed.GetValue(jobs)!, parsed.GetValue(points)!);
            if (jobIds.Length + pointIds.Length == 0 || (pointIds.Length > 0 && name.Length == 0))
            {
                throw ArgumentErrors.New("Set --job-id, or --point-id together with --collection.");
            }
            using var list = Open(parsed.GetValue(file)!);
            var removed = list.Remove([
                .. jobIds.Select(id => new SuppressedId(SuppressedKind.Job, name, id)),
                .. pointIds.Select(id => new SuppressedId(SuppressedKind.Point, name, id)),
            ]);
            globals.Output(parsed).Object(new { Removed = removed, list.Count });
            globals.Output(parsed).Line($"{removed} removed, {list.Count} left");
            return ExitCode.Done;
        });
        return remove;
    }

    private static Argument<string> File() => new("file") { Description = "The suppression list." };

    private static SuppressionList Open(string path)
    {
        if (!System.IO.File.Exists(path))
        {
            throw new ToolException($"Suppression list '{path}' does not exist.");
        }
        try
        {
            return SuppressionList.Open(path, TimeProvider.System);
        }
        catch (InvalidDataException e)
        {
            throw new ToolException(e.Message, e);
        }
    }
}
