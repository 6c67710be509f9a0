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
        var command = new Command("presets", "Lists the presets of 'models add': model families with known "
            + "preprocessing, and the source of the values.");
        command.SetAction(parsed =>
        {
            var output = globals.Output(parsed);
            var table = Tables.New("preset", "kind", "input", "colors", "mean", "std", "resize", "pull");
            foreach (var preset in PresetCatalog.All)
            {
                var input = preset.Input;
                table.Add(preset.Name, ManifestFile.Word(preset.Kind), $"{input.Width}x{input.Height}", ManifestFile.Word(input.ColorOrder),
                    string.Join(' ', input.Mean), string.Join(' ', input.Std), Resize(input), preset.Download?.Licence ?? "");
                output.Object(json =>
                {
                    json.WriteString("name", preset.Name);
                    json.WriteString("kind", ManifestFile.Word(preset.Kind));
                    json.WriteString("description", preset.Description);
                    json.WriteStrings("sources", preset.Sources);
                    json.WriteString("color_order", ManifestFile.Word(input.ColorOrder));
                    json.WriteValues("mean", input.Mean);
                    json.WriteValues("std", input.Std);
                    json.WriteString("url", preset.Download?.Url.AbsoluteUri);
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

    private static string Resize(InputSpec input) =>
        input.ResizeTo > 0 ? $"{ManifestFile.Word(input.Resize)} {input.ResizeTo}" : ManifestFile.Word(input.Resize);
}
