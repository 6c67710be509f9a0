using System.CommandLine;
using System.Globalization;
using System.Text.Json;
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
        var inFlight = CommonOptions.Number("--in-flight", 64, 1, 65_536, "Maximum number of items in flight per stream.");
        var seconds = CommonOptions.Number("--seconds", 10, 1, 3600, "Duration of the measurement, in seconds.");
        var warmUp = CommonOptions.Number("--warm-up", 2, 0, 3600, "Duration of the warm-up, in seconds, which is "
            + "not measured.");
        var jpeg = new Option<string?>("--jpeg")
        {
            Description = "Send JPEG files of this size. [default: raw pixels of the model's input size]",
            HelpName = "WIDTHxHEIGHT",
        };
        var report = new Option<string?>("--report") { Description = "Write an HTML page with charts to this file.", HelpName = "FILE" };
        var command = new Command("bench", "Puts load on the server and measures throughput, latency and batch sizes. "
            + "Stores nothing.")
        {
            kind, model, streams, inFlight, seconds, warmUp, jpeg, report,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var output = globals.Output(parsed);
            var size = Size(parsed.GetValue(jpeg));
            using var client = globals.Client(parsed, options => options with { MaxInFlight = parsed.GetValue(inFlight) });
            var embedder = await BenchItems.ModelAsync(client, parsed.GetValue(model)!, parsed.GetValue(kind), cancellationToken);
            var load = new StreamLoad(client, BenchItems.Create(embedder, size), parsed.GetValue(streams));
            (string, string)[] settings =
            [
                ("server", parsed.GetValue(globals.Address)!),
                ("model", embedder.Name),
                ("items", size is { } files ? $"JPEG {files.Width}x{files.Height}" : $"raw {embedder.InputWidth}x{embedder.InputHeight}"),
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
                await File.WriteAllTextAsync(file, BenchReport.Html(settings, result, TimeProvider.System.GetUtcNow()), cancellationToken);
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
            output.Note("No fonts are installed, so charts have no text. Install a font, for example the package "
                + "fonts-dejavu-core.");
        }
    }

    private static void Print(Output output, IReadOnlyList<(string Name, string Value)> settings, LoadResult result)
    {
        output.Object(json =>
        {
            foreach (var (name, value) in settings)
            {
                json.WriteString(name.Replace(' ', '_'), value);
            }
            Write(json, result);
        });
        var table = Tables.New("", "");
        foreach (var (name, value) in settings.Concat(result.Lines()))
        {
            table.Add(name, value);
        }
        table.Add("batches", string.Join(", ", result.Batches.Select(static batch => $"{batch.Key}: {batch.Value}")));
        output.Table(table);
    }

    private static void Write(Utf8JsonWriter json, LoadResult result)
    {
        json.WriteNumber("items_per_second", Math.Round(result.Rate, 2));
        json.WriteNumber("embedded", result.Embedded);
        json.WriteNumber("failed", result.Failed);
        json.WriteNumber("seconds", Math.Round(result.Elapsed.TotalSeconds, 3));
        json.WriteStartObject("latency_ms");
        foreach (var (name, part) in LoadResult.Percentiles)
        {
            json.WriteNumber(name, Math.Round(result.Latency(part), 3));
        }
        json.WriteEndObject();
        json.WriteNumber("mean_batch", Math.Round(result.MeanBatch, 2));
        json.WriteStartObject("batches");
        foreach (var (size, count) in result.Batches)
        {
            json.WriteNumber(size.ToString(CultureInfo.InvariantCulture), count);
        }
        json.WriteEndObject();
    }

    private static (int Width, int Height)? Size(string? text) => text is null
        ? null
        : CommonOptions.Size(text, MaxSize) ?? throw new ToolException($"--jpeg must be WIDTHxHEIGHT, each 1 to "
            + $"{MaxSize}; got '{text}'.");
}
