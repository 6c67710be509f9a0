using System.CommandLine;
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
    public static Command SetAction(Command command, GlobalOptions globals) =>
        globals.Calling(command, async (_, client, output, cancellationToken) =>
        {
            var table = new TextTable("name", "kind", "input", "dimension", "norm 1", "default", "runs on", "licence");
            var remarks = new List<string>();
            await foreach (var model in client.ListAllModelsAsync(cancellationToken))
            {
                output.Object(Fields(model), omitNulls: true);
                table.Add(
                    model.Name,
                    Kind(model),
                    $"{model.InputWidth}x{model.InputHeight}",
                    model.Dimension > 0 ? $"{model.Dimension}" : "-",
                    model.Dimension > 0 ? YesNo(model.UnitLength) : "-",
                    YesNo(model.DefaultForKind),
                    model.Loaded ? model.ExecutionProvider : "not loaded",
                    model.Licence);
                string[] texts = [model.Description, Origin(model), .. model.Notices];
                remarks.AddRange(texts.Where(text => text.Length > 0).Select(text => $"{model.Name}: {text}"));
            }
            output.Table(table);
            remarks.ForEach(remark => output.Line(ErrorLine.OneLine(remark)));
        });

    private static object Fields(Model model) => new
    {
        model.Name,
        Kind = Kind(model),
        model.Dimension,
        model.InputWidth,
        model.InputHeight,
        model.UnitLength,
        model.MaxBatch,
        model.DefaultForKind,
        model.Loaded,
        model.ExecutionProvider,
        model.Licence,
        model.Origin,
        model.Sha256,
        model.Fingerprint,
        model.Description,
        SuggestedThreshold = model.HasSuggestedThreshold ? model.SuggestedThreshold : (float?)null,
        FalseMatchRate = model.HasFalseMatchRate ? model.FalseMatchRate : (float?)null,
        model.Notices,
    };

    private static string Origin(Model model) => model.Origin.Length > 0 ? $"from {model.Origin}" : "";

    private static string Kind(Model model) => model.Kind.ToString().ToLowerInvariant();

    private static string YesNo(bool value) => value ? "yes" : "no";
}
