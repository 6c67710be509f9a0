using System.CommandLine;
using System.Globalization;
using Embeddings.Cli.Benching;
using Embeddings.Cli.Printing;

namespace Embeddings.Cli.Commands;

/// <summary><c>embeddings bench</c>: a load on any server, measured from outside.</summary>
internal static class BenchCommand
{
    public static Command Create(GlobalOptions globals)
    {
        var kind = CommonOptions.Kind();
        var model = CommonOptions.Model();
        var streams = CommonOptions.Number("--streams", 4, 1, 1024, "Streams at once.");
        var inFlight = CommonOptions.Number("--in-flight", 64, 1, 65_536, "Unanswered items of each stream at most.");
        var seconds = CommonOptions.Number("--seconds", 10, 1, 3600, "How long to measure.");
        var warmUp = CommonOptions.Number("--warm-up", 2, 0, 3600, "Seconds before that which do not count.");
        var jpeg = new Option<string?>("--jpeg")
        {
            Description = "Send JPEG files of this size; raw pixels of the model's own size where absent.",
            HelpName = "WIDTHxHEIGHT",
        };
        var report = new Option<string?>("--report") { Description = "Write an HTML page with plots to this file.", HelpName = "FILE" };
        var command = new Command("bench", "Puts a load on the server and measures it: throughput, latencies, sizes of batches. Stores nothing.")
        {
            kind, model, streams, inFlight, seconds, warmUp, jpeg, report,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var output = globals.Output(parsed);
            var size = Size(parsed.GetValue(jpeg));
            using var client = globals.Client(parsed, options => options with { MaxInFlight = parsed.GetValue(inFlight) });
            var embedder = await BenchItems.ModelAsync(client, parsed.GetValue(model)!, parsed.GetValue(kind), cancellationToken);
            var load = new StreamLoad(client, BenchItems.Make(embedder, size), parsed.GetValue(streams));
            (string, string)[] setting =
            [
                ("server", parsed.GetValue(globals.Address)!), ("model", embedder.Name),
                ("items", size is { } files ? $"JPEG {files.Width}x{files.Height}" : $"raw {embedder.InputWidth}x{embedder.InputHeight}"),
                ("streams", Text(parsed.GetValue(streams))), ("in flight on each", Text(parsed.GetValue(inFlight))),
            ];
            if (parsed.GetValue(warmUp) > 0)
            {
                await load.RunAsync(TimeSpan.FromSeconds(parsed.GetValue(warmUp)), cancellationToken);
            }
            var result = await load.RunAsync(TimeSpan.FromSeconds(parsed.GetValue(seconds)), cancellationToken);
            Print(output, setting, result);
            if (parsed.GetValue(report) is { } file)
            {
                await File.WriteAllTextAsync(file, BenchReport.Html(setting, result, TimeProvider.System.GetUtcNow()), cancellationToken);
                output.Line($"report: {file}");
            }
            return result.Failed == 0 ? ExitCode.Done : ExitCode.SomeItemsFailed;
        });
        return command;
    }

    private static void Print(Output output, IEnumerable<(string Name, string Value)> setting, LoadResult result)
    {
        output.Object(json =>
        {
            foreach (var (name, value) in setting)
            {
                json.WriteString(name.Replace(' ', '_'), value);
            }
            BenchText.Write(json, result);
        });
        var table = Tables.New("", "");
        foreach (var (name, value) in setting.Concat(BenchText.Lines(result)))
        {
            table.Add(name, value);
        }
        table.Add("batches", string.Join(", ", result.Batches.Select(static batch => $"{batch.Key}: {batch.Value}")));
        output.Table(table);
    }

    private static (int Width, int Height)? Size(string? text)
    {
        if (text is null)
        {
            return null;
        }
        var parts = text.Split('x');
        return parts.Length == 2
            && int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var width) && width is > 0 and <= 8192
            && int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var height) && height is > 0 and <= 8192
            ? (width, height)
            : throw new CliException($"--jpeg '{text}' is not WIDTHxHEIGHT, each 1 to 8192, for example 640x480");
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
