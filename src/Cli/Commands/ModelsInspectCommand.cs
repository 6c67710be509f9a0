using System.CommandLine;
using Embeddings.Cli.Printing;
using Embeddings.Core;
using Embeddings.Tooling.Models.Inspection;

namespace Embeddings.Cli.Commands;

/// <summary><c>embeddings models inspect</c>: shows the inputs, outputs and properties of a model file.</summary>
internal static class ModelsInspectCommand
{
    public static Command Create(GlobalOptions globals)
    {
        var file = new Argument<string>("file") { Description = "The .onnx file." };
        var command = new Command("inspect", "Prints the inputs, outputs and properties of a model file, and the "
            + "output that 'models add' would select.") { file };
        command.SetAction(parsed =>
        {
            var path = parsed.GetValue(file)!;
            if (!File.Exists(path))
            {
                throw new ToolException($"File '{path}' does not exist.");
            }
            var facts = GraphInspector.Inspect(path);
            using var run = new TrialRun(path);
            string? selected = null;
            var reason = "";
            try
            {
                selected = OutputSelector.Select(path, facts.Model.Graph, run.Outputs);
            }
            catch (ModelException e)
            {
                reason = e.Message;
            }
            Print(globals.Output(parsed), facts, run, selected, reason);
            return ExitCode.Done;
        });
        return command;
    }

    private static void Print(Output output, GraphFacts facts, TrialRun run, string? selected, string reason)
    {
        output.Object(json =>
        {
            json.WriteStrings("inputs", run.Inputs.Select(input => input.ToString()));
            json.WriteStrings("outputs", run.Outputs.Select(tensor => tensor.ToString()));
            json.WriteStrings("properties", facts.Words());
            json.WriteString("embedding", selected);
            json.WriteString("reason", reason);
        });
        foreach (var input in run.Inputs)
        {
            output.Line($"input       {input}");
        }
        foreach (var tensor in run.Outputs)
        {
            output.Line($"output      {tensor}");
        }
        output.Line($"graph       {string.Join("; ", facts.Words())}");
        output.Line($"embedding   {selected ?? reason}");
    }
}
