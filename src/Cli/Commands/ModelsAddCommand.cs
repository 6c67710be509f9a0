using System.CommandLine;
using Embeddings.Cli.Printing;
using Embeddings.Core.Models;
using Embeddings.Tooling.Models.Adding;

namespace Embeddings.Cli.Commands;

/// <summary><c>embeddings models add</c>: makes a model file one that the server serves.</summary>
internal static class ModelsAddCommand
{
    public static Command Create(GlobalOptions globals)
    {
        var file = new Argument<string>("file") { Description = "The .onnx file." };
        var options = new AddOptions();
        var command = new Command("add", "Adds a model file: reads its graph, tries it, and writes its manifest. What no file tells (colours, mean, std) comes from a preset or flags.")
        {
            file,
        };
        options.AddTo(command);
        command.SetAction(parsed =>
        {
            var path = parsed.GetValue(file)!;
            var added = ModelAdder.Add(options.Read(parsed, path) with { File = File.Exists(path) ? path : throw new CliException($"there is no file '{path}'") });
            Tell(globals.Output(parsed), added);
            return ExitCode.Done;
        });
        return command;
    }

    /// <summary>Says what was added, and how it is served.</summary>
    public static void Tell(Output output, AddedModel added)
    {
        var (manifest, input) = (added.Manifest, added.Manifest.Input);
        output.Object(json =>
        {
            json.WriteString("name", manifest.Name);
            json.WriteString("file", added.File);
            json.WriteString("kind", ManifestFile.Word(manifest.Kind));
            json.WriteNumber("dimension", manifest.Dimension);
            json.WriteNumber("max_batch", added.MaxBatch);
            json.WriteString("sha256", manifest.Sha256);
            json.WriteString("fingerprint", added.Fingerprint);
            json.WriteStartArray("notices");
            added.Notices.ToList().ForEach(json.WriteStringValue);
            json.WriteEndArray();
        });
        output.Line($"{manifest.Name}: {ManifestFile.Word(manifest.Kind)}, {input.Width}x{input.Height} -> {manifest.Dimension}, batches up to {added.MaxBatch}");
        output.Line($"input       {ManifestFile.Word(input.ColorOrder)}, mean {string.Join(' ', input.Mean)}, std {string.Join(' ', input.Std)}, "
            + $"{ManifestFile.Word(input.Resize)}, {ManifestFile.Word(input.Interpolation)}");
        output.Line($"graph       {string.Join("; ", added.Facts)}");
        foreach (var notice in added.Notices)
        {
            output.Line(ErrorLine.OneLine($"note        {notice}"));
        }
        output.Line($"written     {added.File} with its manifest; serve it with: embeddings serve --Models:Directories:0={Path.GetDirectoryName(added.File)}");
    }
}
