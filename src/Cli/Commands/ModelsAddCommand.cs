using System.CommandLine;
using Embeddings.Cli.Printing;
using Embeddings.Core.Models;
using Embeddings.Tooling.Models.Adding;

namespace Embeddings.Cli.Commands;

/// <summary><c>embeddings models add</c>: adds a model file to a directory of models.</summary>
internal static class ModelsAddCommand
{
    public static Command Create(GlobalOptions globals)
    {
        var file = new Argument<FileInfo>("file") { Description = "The .onnx file." }.AcceptExistingOnly();
        var options = new AddOptions();
        var command = new Command(
            "add",
            "Adds a model file, for embeddings or a detector: reads its graph, runs it, and writes its manifest. Values that a model file does not "
            + "contain (color order, mean, std) come from a preset or options.")
        {
            file,
        };
        options.AddTo(command);
        command.SetAction(parsed =>
        {
            Print(globals.Output(parsed), ModelAdder.Add(options.Read(parsed, parsed.GetRequiredValue(file).FullName)));
            return ExitCode.Done;
        });
        return command;
    }

    /// <summary>Prints the added model and how to serve it.</summary>
    public static void Print(Output output, AddedModel added)
    {
        var manifest = added.Manifest;
        var input = manifest.Input;
        output.Object(new
        {
            manifest.Name,
            added.File,
            Kind = ManifestFile.Word(manifest.Kind),
            manifest.Dimension,
            added.MaxBatch,
            manifest.Sha256,
            added.Fingerprint,
            added.Notices,
        });
        output.Line($"{manifest.Name}: {ManifestFile.Word(manifest.Kind)}, {AddOptions.Sizes(manifest)}, batches up to {added.MaxBatch}");
        var scale = $"mean {string.Join(' ', input.Mean)}, std {string.Join(' ', input.Std)}";
        var resize = $"{ManifestFile.Word(input.Resize)}, {ManifestFile.Word(input.Interpolation)}";
        output.Line($"input       {ManifestFile.Word(input.ColorOrder)}, {scale}, {resize}");
        output.Line($"graph       {string.Join("; ", added.Facts)}");
        if (manifest.Detector is { } detector)
        {
            var points = detector.Keypoints > 0 ? "with five points" : "without points; it needs a landmark model";
            output.Line($"faces       {detector.MinFace} to {detector.MaxFace} pixels of the input, {points}");
        }
        foreach (var notice in added.Notices)
        {
            output.Line(ErrorLine.OneLine($"note        {notice}"));
        }
        output.Line(
            $"written     {added.File} and its manifest; serve it with: embeddings serve "
            + $"--Models:Directories:0={Path.GetDirectoryName(added.File)}");
    }
}
