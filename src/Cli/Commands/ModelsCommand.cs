using System.CommandLine;

namespace Embeddings.Cli.Commands;

/// <summary><c>embeddings models</c>: lists the models of the server, and manages model files.</summary>
internal static class ModelsCommand
{
    public static Command Create(GlobalOptions globals)
    {
        var command = new Command("models", "Lists the models of the server, and manages model files.")
        {
            ModelsListCommand.Create(globals),
            ModelsLoadCommand.Load(globals),
            ModelsLoadCommand.Unload(globals),
            ModelsAddCommand.Create(globals),
            ModelsPullCommand.Create(globals),
            ModelsInspectCommand.Create(globals),
            ModelsCheckCommand.Create(globals),
            ModelsPresetsCommand.Create(globals),
        };
        return ModelsListCommand.SetAction(command, globals);
    }
}
