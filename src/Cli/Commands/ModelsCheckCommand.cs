using System.CommandLine;
using Embeddings.Cli.Charts;
using Embeddings.Cli.Printing;
using Embeddings.Core;
using Embeddings.Core.Imaging;
using Embeddings.Core.Inference;
using Embeddings.Core.Models;
using Embeddings.Tooling.Models.Checking;

namespace Embeddings.Cli.Commands;

/// <summary><c>embeddings models check</c>: whether a model does what it should, shown on pictures of people who are known.</summary>
internal static class ModelsCheckCommand
{
    private const int TextBins = 20;
    private const int DrawnBins = 60;

    public static Command Create(GlobalOptions globals)
    {
        var name = new Argument<string>("name") { Description = "A model's name, or its file." };
        var pictures = new Argument<string?>("pictures")
        {
            Description = "A folder with one folder per subject or files called SUBJECT__NAME, or a file of one JSON object a line: path, label or media_store_id, landmarks.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var models = new Option<string>("--models") { Description = "The folder of models.", HelpName = "DIR", DefaultValueFactory = _ => AddOptions.Folder };
        var charts = new Option<string?>("--charts") { Description = "Folder to write the histograms into, as NAME.svg and NAME.png.", HelpName = "DIR" };
        var write = new Option<bool>("--write-threshold") { Description = "Write the best threshold into the manifest as suggested_threshold." };
        var command = new Command("check",
            "Tries a model on this machine: that batches do not change vectors, how well it tells people apart, and whether its colour order is the right one.")
        {
            name, pictures, models, charts, write,
        };
        command.SetAction((parsed, cancellationToken) => Task.Run(() =>
        {
            var output = globals.Output(parsed);
            var path = ModelFiles.Manifest(parsed.GetValue(name)!, parsed.GetValue(models)!);
            using var model = ModelLoader.Load(path, new InferenceOptions { ProbeBatch = 0 });
            output.Line($"{model.Manifest.Name}: loads, {model.Manifest.Input.Width}x{model.Manifest.Input.Height} -> {model.Manifest.Dimension}, "
                + $"batches up to {model.MaxBatch} give the vectors of single items");
            model.Notices.ToList().ForEach(notice => output.Line(ErrorLine.OneLine($"note        {notice}")));
            if (parsed.GetValue(pictures) is not { } where)
            {
                return ExitCode.Done;
            }
            if (!Directory.Exists(where) && !File.Exists(where))
            {
                throw new CliException($"there is no folder or file '{where}'");
            }
            var checker = new ModelChecker(model, new Preprocessor(new ImagingOptions()));
            CheckReport report;
            try
            {
                report = checker.Check(LabelledPictures.Read(where), cancellationToken: cancellationToken);
            }
            catch (InvalidDataException e)
            {
                throw new CliException(e.Message);
            }
            Tell(output, model.Manifest, report);
            if (parsed.GetValue(charts) is { } folder)
            {
                Draw(output, folder, model.Manifest, report);
            }
            if (parsed.GetValue(write))
            {
                ModelFiles.Replace(path, model.Manifest with { SuggestedThreshold = MathF.Round((float)report.Separation.Threshold, 3) });
                output.Line($"written     suggested_threshold {report.Separation.Threshold:0.000} into {path}");
            }
            return report.Skipped.Count > 0 ? ExitCode.SomeItemsFailed : ExitCode.Done;
        }, cancellationToken));
        return command;
    }

    private static void Tell(Output output, ModelManifest manifest, CheckReport report)
    {
        report.Skipped.ToList().ForEach(skipped => output.Note($"skipped: {ErrorLine.OneLine(skipped)}"));
        var separation = report.Separation;
        output.Object(json =>
        {
            json.WriteString("name", manifest.Name);
            json.WriteNumber("pictures", report.Pictures);
            json.WriteNumber("people", report.Labels);
            json.WriteNumber("skipped", report.Skipped.Count);
            json.WriteNumber("same_pairs", report.Same.Count);
            json.WriteNumber("different_pairs", report.Different.Count);
            json.WriteNumber("equal_error_rate", separation.EqualErrorRate);
            json.WriteNumber("threshold", separation.Threshold);
            json.WriteNumber("balanced_accuracy", separation.BalancedAccuracy);
            json.WriteNumber("rank1", report.Rank1);
            json.WriteNumber("batch_cosine", report.BatchCosine);
            json.WriteNumber("d_prime", separation.Distance);
            json.WriteNumber("d_prime_swapped", report.Swapped.Distance);
            json.WriteBoolean("swapped_is_better", report.SwappedIsBetter);
        });
        foreach (var line in TextChart.Lines(new Histogram(report.Same, report.Different, TextBins), separation.Threshold))
        {
            output.Line(line);
        }
        output.Line($"pictures    {report.Pictures} of {report.Labels} subjects; {report.Same.Count} same pairs, {report.Different.Count} different ones");
        output.Line($"same        {report.Same.Min():0.000} to {report.Same.Max():0.000}, mean {report.Same.Average():0.000}");
        output.Line($"different   {report.Different.Min():0.000} to {report.Different.Max():0.000}, mean {report.Different.Average():0.000}");
        output.Line($"threshold   {separation.Threshold:0.000}, right in {separation.BalancedAccuracy:P1} of both sorts; equal error rate {separation.EqualErrorRate:P2}");
        output.Line($"rank-1      {report.Rank1:P1}");
        output.Line($"batch       a picture in a batch against itself alone: cosine {report.BatchCosine:0.00000} or more");
        output.Line($"colours     {ManifestFile.Word(manifest.Input.ColorOrder)} separates by {separation.Distance:0.00} deviations, swapped by {report.Swapped.Distance:0.00}; "
            + $"{CheckReport.SwapMargin:0.00} more would be a warning");
        if (report.SwappedIsBetter)
        {
            output.Note($"warning: {manifest.Name} separates better with red and blue swapped; its color_order "
                + $"'{ManifestFile.Word(manifest.Input.ColorOrder)}' is likely wrong");
        }
    }

    private static void Draw(Output output, string folder, ModelManifest manifest, CheckReport report)
    {
        Directory.CreateDirectory(folder);
        var histogram = new Histogram(report.Same, report.Different, DrawnBins);
        var title = $"{manifest.Name}: {report.Pictures} pictures of {report.Labels}, EER {report.Separation.EqualErrorRate:P2}, rank-1 {report.Rank1:P1}";
        var file = Path.Combine(folder, manifest.Name);
        File.WriteAllText(file + ".svg", SvgChart.Draw(histogram, report.Separation.Threshold, title));
        File.WriteAllBytes(file + ".png", PngChart.Draw(histogram, report.Separation.Threshold));
        output.Line($"written     {file}.svg, {file}.png");
    }
}
