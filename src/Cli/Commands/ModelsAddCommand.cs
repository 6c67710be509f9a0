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
        var file = new Argument<string>("file") { Description = "The .onnx file." };
        var options = new AddOptions();
        var command = new Command("add",
            "Adds a model file: reads its graph, runs it, and writes its manifest. Values that a model file does not "
                + "contain (color order, mean, std) "
            + "come from a preset or options.")
        {
            file,
        };
        options.AddTo(command);
        command.SetAction(parsed =>
        {
            var path = parsed.GetValue(file)!;
            if (!File.Exists(path))
            {
                throw new ToolException($"File '{path}' does not exist.");
            }
            Print(globals.Output(parsed), ModelAdder.Add(options.Read(parsed, path)));
            return ExitCode.Done;
        });
        return command;
    }

    /// <summary>Prints the added model and how to serve it.</summary>
    public static void Print(Output output, AddedModel added)
    {
        var manifest = added.Manifest;
        var input = manifest.Input;
        output.Object(json =>
        {
            json.WriteString("name", manifest.Name);
            json.WriteString("file", added.File);
            json.WriteString("kind", ManifestFile.Word(manifest.Kind));
            json.WriteNumber("dimension", manifest.Dimension);
            json.WriteNumber("max_batch", added.MaxBatch);
            json.WriteString("sha256", manifest.Sha256);
            json.WriteString("fingerprint", added.Fingerprint);
            json.WriteStrings("notices", added.Notices);
        });
        output.Line($"{manifest.Name}: {ManifestFile.Word(manifest.Kind)}, {input.Width}x{input.Height} -> "
            + $"{manifest.Dimension}, batches up to {added.MaxBatch}");
        output.Line($"input       {ManifestFile.Word(input.ColorOrder)}, mean {string.Join(' ', input.Mean)}, std "
            + $"{string.Join(' ', input.Std)}, "
            + $"{ManifestFile.Word(input.Resize)}, {ManifestFile.Word(input.Interpolation)}");
        output.Line($"graph       {string.Join("; ", added.Facts)}");
        foreach (var notice in added.Notices)
        {
            output.Line(ErrorLine.OneLine($"note        {notice}"));
        }
        output.Line($"written     {added.File} and its manifest; serve it with: embeddings serve "
            + $"--Models:Directories:0={Path.GetDirectoryName(added.File)}");
    }
}
