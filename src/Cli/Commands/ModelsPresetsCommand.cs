using System.CommandLine;
using Embeddings.Cli.Printing;
using Embeddings.Core.Models;
using Embeddings.Tooling.Models.Presets;

namespace Embeddings.Cli.Commands;

/// <summary><c>embeddings models presets</c>: the model families with known preprocessing.</summary>
internal static class ModelsPresetsCommand
{
    public static Command Create(GlobalOptions globals)
    {
        var command = new Command(
            "presets",
            "Lists the presets of 'models add': model families with known preprocessing, and the source of the values.");
        command.SetAction(parsed =>
        {
            var output = globals.Output(parsed);
            var table = new TextTable("preset", "kind", "input", "colors", "mean", "std", "resize", "pull");
            foreach (var preset in PresetCatalog.All)
            {
                var input = preset.Input;
                var resize = ManifestFile.Word(input.Resize);
                table.Add(
                    preset.Name,
                    ManifestFile.Word(preset.Kind),
                    $"{input.Width}x{input.Height}",
                    ManifestFile.Word(input.ColorOrder),
                    string.Join(' ', input.Mean),
                    string.Join(' ', input.Std),
                    input.ResizeTo > 0 ? $"{resize} {input.ResizeTo}" : resize,
                    preset.Download?.Licence ?? "");
                output.Object(new
                {
                    preset.Name,
                    Kind = ManifestFile.Word(preset.Kind),
                    preset.Description,
                    preset.Sources,
                    ColorOrder = ManifestFile.Word(input.ColorOrder),
                    input.Mean,
                    input.Std,
                    Url = preset.Download?.Url.AbsoluteUri,
                });
            }
            output.Table(table);
            foreach (var preset in PresetCatalog.All)
            {
                output.Line($"{preset.Name}: {preset.Description} Sources: {string.Join("; ", preset.Sources)}.");
            }
            return ExitCode.Done;
        });
        return command;
    }
}
