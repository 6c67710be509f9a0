using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Embeddings.Cli.Printing;
using Embeddings.Client;
using Embeddings.V1;

namespace Embeddings.Cli.Commands;

/// <summary><c>embeddings models list</c>: the models of the server.</summary>
internal static class ModelsListCommand
{
    public static Command Create(GlobalOptions globals) =>
        SetAction(new Command("list", "Lists the models of the server."), globals);

    /// <summary>Makes a command list the models.</summary>
    public static Command SetAction(Command command, GlobalOptions globals)
    {
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var output = globals.Output(parsed);
            using var client = globals.Client(parsed);
            var table = Tables.New("name", "kind", "input", "dimension", "norm 1", "default", "runs on", "licence");
            var remarks = new List<string>();
            await foreach (var model in client.ListAllModelsAsync(cancellationToken))
            {
                output.Object(json => Write(json, model));
                table.Add(
                    model.Name,
                    Kind(model),
                    $"{model.InputWidth}x{model.InputHeight}",
                    model.Dimension.ToString(CultureInfo.InvariantCulture),
                    YesNo(model.UnitLength),
                    YesNo(model.DefaultForKind),
                    model.Loaded ? model.ExecutionProvider : "not loaded",
                    model.Licence);
                string[] texts = [model.Description, Origin(model), .. model.Notices];
                remarks.AddRange(texts.Where(text => text.Length > 0).Select(text => $"{model.Name}: {text}"));
            }
            output.Table(table);
            remarks.ForEach(remark => output.Line(ErrorLine.OneLine(remark)));
            return ExitCode.Done;
        });
        return command;
    }

    private static void Write(Utf8JsonWriter json, Model model)
    {
        json.WriteString("name", model.Name);
        json.WriteString("kind", Kind(model));
        json.WriteNumber("dimension", model.Dimension);
        json.WriteNumber("input_width", model.InputWidth);
        json.WriteNumber("input_height", model.InputHeight);
        json.WriteBoolean("unit_length", model.UnitLength);
        json.WriteNumber("max_batch", model.MaxBatch);
        json.WriteBoolean("default_for_kind", model.DefaultForKind);
        json.WriteBoolean("loaded", model.Loaded);
        json.WriteString("execution_provider", model.ExecutionProvider);
        json.WriteString("licence", model.Licence);
        json.WriteString("origin", model.Origin);
        json.WriteString("sha256", model.Sha256);
        json.WriteString("fingerprint", model.Fingerprint);
        json.WriteString("description", model.Description);
        if (model.HasSuggestedThreshold)
        {
            json.WriteNumber("suggested_threshold", model.SuggestedThreshold);
        }
        json.WriteStrings("notices", model.Notices);
    }

    private static string Origin(Model model) => model.Origin.Length > 0 ? $"from {model.Origin}" : "";

    private static string Kind(Model model) => model.Kind.ToString().ToLowerInvariant();

    private static string YesNo(bool value) => value ? "yes" : "no";
}
