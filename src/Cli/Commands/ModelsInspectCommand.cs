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
        var file = new Argument<FileInfo>("file") { Description = "The .onnx file." }.AcceptExistingOnly();
        var command = new Command(
            "inspect",
            "Prints the inputs, outputs and properties of a model file, and the output that 'models add' would select, or the "
            + "preset for a detector.")
        {
            file,
        };
        command.SetAction(parsed =>
        {
            var path = parsed.GetRequiredValue(file).FullName;
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
        output.Object(new
        {
            Inputs = run.Inputs.Select(input => $"{input}"),
            Outputs = run.Outputs.Select(tensor => $"{tensor}"),
            Properties = facts.Words(),
            Embedding = selected,
            Reason = reason,
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
