using System.CommandLine;
using Embeddings.Cli.Printing;
using Embeddings.Core;
using Embeddings.Core.Imaging;
using Embeddings.Core.Inference;
using Embeddings.Core.Models;
using Embeddings.Tooling.Charts;
using Embeddings.Tooling.Models;
using Embeddings.Tooling.Models.Checking;

namespace Embeddings.Cli.Commands;

/// <summary><c>embeddings models check</c>: tests a model on images of known subjects.</summary>
internal static class ModelsCheckCommand
{
    private const int TextBins = 20;
    private const int ChartBins = 60;

    public static Command Create(GlobalOptions globals)
    {
        var name = new Argument<string>("name") { Description = "Name or file of the model." };
        var images = new Argument<string?>("images")
        {
            Description = LabelledImages.Description,
            HelpName = "DIR|LIST.jsonl",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var models = new Option<string>("--models")
        {
            Description = "Directory of the models.",
            HelpName = "DIR",
            DefaultValueFactory = _ => AddOptions.Folder,
        };
        var charts = CommonOptions.Text("--charts", "DIR", "Directory for the histograms, as NAME.svg and NAME.png.");
        var write = new Option<bool>("--write-threshold")
        {
            Description = "Write the best threshold and its false match rate to the manifest, as suggested_threshold and "
                + "false_match_rate.",
        };
        var command = new Command(
            "check",
            "Checks a model on this machine: whether batches change its vectors, how well it separates subjects, and "
            + "whether its color order is correct.")
        {
            name, images, models, charts, write,
        };
        command.SetAction((parsed, cancellationToken) => Task.Run(() =>
        {
            var output = globals.Output(parsed);
            var path = ModelFiles.FindManifest(parsed.GetValue(name)!, parsed.GetValue(models)!);
            using var model = ModelLoader.Load(path, new InferenceOptions { ProbeBatch = 0 });
            var manifest = model.Manifest;
            var size = AddOptions.Sizes(manifest);
            var results = manifest.Embeds ? "vectors" : "results";
            output.Line($"{manifest.Name}: loads, {size}, {results} are the same in batches up to {model.MaxBatch}");
            model.Notices.ToList().ForEach(notice => output.Line(ErrorLine.OneLine($"note        {notice}")));
            if (parsed.GetValue(images) is not { } folder)
            {
                return ExitCode.Done;
            }
            if (!manifest.Embeds)
            {
                throw new ToolException(
                    $"Model '{manifest.Name}' is of kind {ManifestFile.Word(manifest.Kind)} and has no vectors to compare; check it "
                    + "without images.");
            }
            var checker = new ModelChecker(model, new Preprocessor(new ImagingOptions()));
            var report = checker.Check(LabelledImages.Read(folder), cancellationToken: cancellationToken);
            Print(output, manifest, report);
            if (parsed.GetValue(charts) is { } target)
            {
                Draw(output, target, manifest, report);
            }
            if (parsed.GetValue(write))
            {
                var threshold = Rounded(report.Separation.Threshold);
                var rate = MathF.Round((float)report.FalseMatchRate(threshold), 6);
                ModelFiles.ReplaceManifest(path, manifest with { SuggestedThreshold = threshold, FalseMatchRate = rate });
                output.Line($"written     suggested_threshold {threshold:0.000} and false_match_rate {rate:0.######} to {path}");
            }
            return report.Skipped.Count > 0 ? ExitCode.SomeItemsFailed : ExitCode.Done;
        }, cancellationToken));
        return command;
    }

    private static void Print(Output output, ModelManifest manifest, CheckReport report)
    {
        report.Skipped.ToList().ForEach(skipped => output.Note($"skipped: {ErrorLine.OneLine(skipped)}"));
        var separation = report.Separation;
        output.Object(new
        {
            manifest.Name,
            Pictures = report.Images,
            People = report.Labels,
            Skipped = report.Skipped.Count,
            SamePairs = report.Same.Count,
            DifferentPairs = report.Different.Count,
            separation.EqualErrorRate,
            separation.Threshold,
            separation.BalancedAccuracy,
            FalseMatchRate = report.FalseMatchRate(Rounded(separation.Threshold)),
            report.Rank1,
            report.BatchCosine,
            DPrime = separation.Distance,
            DPrimeSwapped = report.Swapped.Distance,
            report.SwappedIsBetter,
        });
        var histogram = new CosineHistogram(report.Same, report.Different, TextBins);
        foreach (var line in TextChart.Lines(histogram, separation.Threshold))
        {
            output.Line(line);
        }
        var order = ManifestFile.Word(manifest.Input.ColorOrder);
        var pairs = $"{report.Same.Count} same pairs, {report.Different.Count} different pairs";
        output.Line($"images      {report.Images} of {report.Labels} subjects; {pairs}");
        output.Line($"same        {Range(report.Same)}");
        output.Line($"different   {Range(report.Different)}");
        output.Line($"threshold   {separation.Threshold:0.000}, balanced accuracy {separation.BalancedAccuracy:P1}, "
            + $"equal error rate {separation.EqualErrorRate:P2}, "
            + $"false match rate {report.FalseMatchRate(Rounded(separation.Threshold)):P2}");
        output.Line($"rank-1      {report.Rank1:P1}");
        output.Line($"batch       cosine of an image in a batch and alone: {report.BatchCosine:0.00000} or more");
        output.Line($"colors      {order} separates by {separation.Distance:0.00} standard deviations, swapped by "
            + $"{report.Swapped.Distance:0.00}; "
            + (double.IsFinite(report.NeededAdvantage)
                ? $"a warning needs {report.NeededAdvantage:0.00} more"
                : "too few subjects to tell an error from noise"));
        if (report.SwappedIsBetter)
        {
            output.Note(
                $"warning: {manifest.Name} separates better with red and blue swapped; its color_order '{order}' is "
                + "likely wrong");
        }
    }

    // As it is written to the manifest.
    private static float Rounded(double threshold) => MathF.Round((float)threshold, 3);

    private static string Range(IReadOnlyList<float> cosines) =>
        $"{cosines.Min():0.000} to {cosines.Max():0.000}, mean {cosines.Average():0.000}";

    private static void Draw(Output output, string folder, ModelManifest manifest, CheckReport report)
    {
        output.NoteMissingFonts();
        Directory.CreateDirectory(folder);
        var title = $"{manifest.Name}: {report.Images} images of {report.Labels}, "
            + $"EER {report.Separation.EqualErrorRate:P2}, rank-1 {report.Rank1:P1}";
        var histogram = new CosineHistogram(report.Same, report.Different, ChartBins);
        var chart = Chart.Cosines(histogram, report.Separation.Threshold, title);
        var file = Path.Combine(folder, manifest.Name);
        File.WriteAllText(file + ".svg", chart.ToSvg(800, 400));
        File.WriteAllBytes(file + ".png", chart.ToPng());
        output.Line($"written     {file}.svg, {file}.png");
    }
}
