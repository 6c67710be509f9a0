using System.CommandLine;
using System.Globalization;
using Embeddings.Cli.Printing;
using Embeddings.Tooling.Benching;
using Embeddings.Tooling.Charts;

namespace Embeddings.Cli.Commands;

/// <summary><c>embeddings bench</c>: measures a server under load.</summary>
internal static class BenchCommand
{
    private const int MaxSize = 8_192;

    public static Command Create(GlobalOptions globals)
    {
        var kind = CommonOptions.Kind();
        var model = CommonOptions.Model();
        var streams = CommonOptions.Number("--streams", 4, 1, 1024, "Number of concurrent streams.");
        var inFlight =
            CommonOptions.Number("--in-flight", 64, 1, 65_536, "Maximum number of items in flight per stream.");
        var seconds = CommonOptions.Number("--seconds", 10, 1, 3600, "Duration of the measurement, in seconds.");
        var warmUp = CommonOptions.Number(
            "--warm-up", 2, 0, 3600, "Duration of the warm-up, in seconds, which is not measured.");
        var jpeg = CommonOptions.Text(
            "--jpeg", "WIDTHxHEIGHT", "Send JPEG files of this size. [default: raw pixels of the model's input size]");
        var report = CommonOptions.Text("--report", "FILE", "Write an HTML page with charts to this file.");
        var command = new Command(
            "bench", "Puts load on the server and measures throughput, latency and batch sizes. Stores nothing.")
        {
            kind, model, streams, inFlight, seconds, warmUp, jpeg, report,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var output = globals.Output(parsed);
            var size = Size(parsed.GetValue(jpeg));
            using var client =
                globals.Client(parsed, options => options with { MaxInFlight = parsed.GetValue(inFlight) });
            var embedder =
                await BenchItems.ModelAsync(client, parsed.GetValue(model)!, parsed.GetValue(kind), cancellationToken);
            var load = new StreamLoad(client, BenchItems.Create(embedder, size), parsed.GetValue(streams));
            var items = size is { } files
                ? $"JPEG {files.Width}x{files.Height}"
                : $"raw {embedder.InputWidth}x{embedder.InputHeight}";
            (string, string)[] settings =
            [
                ("server", parsed.GetValue(globals.Address)!),
                ("model", embedder.Name),
                ("items", items),
                ("streams", parsed.GetValue(streams).ToString(CultureInfo.InvariantCulture)),
                ("in flight on each", parsed.GetValue(inFlight).ToString(CultureInfo.InvariantCulture)),
            ];
            if (parsed.GetValue(warmUp) > 0)
            {
                await load.RunAsync(TimeSpan.FromSeconds(parsed.GetValue(warmUp)), cancellationToken);
            }
            var result = await load.RunAsync(TimeSpan.FromSeconds(parsed.GetValue(seconds)), cancellationToken);
            Print(output, settings, result);
            if (parsed.GetValue(report) is { } file)
            {
                output.NoteMissingFonts();
                var page = BenchReport.Html(settings, result, TimeProvider.System.GetUtcNow());
                await File.WriteAllTextAsync(file, page, cancellationToken);
                output.Line($"report: {file}");
            }
            return result.Failed == 0 ? ExitCode.Done : ExitCode.SomeItemsFailed;
        });
        return command;
    }

    /// <summary>Writes a note if charts will have no text.</summary>
    public static void NoteMissingFonts(this Output output)
    {
        if (!Chart.HasFonts)
        {
            output.Note(
                "No fonts are installed, so charts have no text. Install a font, for example the package "
                + "fonts-dejavu-core.");
        }
    }

    private static void Print(Output output, IReadOnlyList<(string Name, string Value)> settings, LoadResult result)
    {
        var fields = settings.ToDictionary(setting => setting.Name.Replace(' ', '_'), setting => (object)setting.Value);
        fields["items_per_second"] = Math.Round(result.Rate, 2);
        fields["embedded"] = result.Embedded;
        fields["failed"] = result.Failed;
        fields["seconds"] = Math.Round(result.Elapsed.TotalSeconds, 3);
        fields["latency_ms"] = LoadResult.Percentiles.ToDictionary(
            percentile => percentile.Name, percentile => Math.Round(result.Latency(percentile.Part), 3));
        fields["mean_batch"] = Math.Round(result.MeanBatch, 2);
        fields["batches"] = result.Batches;
        output.Object(fields);
        var table = new TextTable("", "");
        foreach (var (name, value) in settings.Concat(result.Lines()))
        {
            table.Add(name, value);
        }
        table.Add("batches", string.Join(", ", result.Batches.Select(static batch => $"{batch.Key}: {batch.Value}")));
        output.Table(table);
    }

    private static (int Width, int Height)? Size(string? text) => text is null
        ? null
        : CommonOptions.Size(text, MaxSize)
            ?? throw ArgumentErrors.New($"--jpeg must be WIDTHxHEIGHT, each 1 to {MaxSize}; got '{text}'.");
}
