using System.CommandLine;

namespace Embeddings.Cli.Commands;

/// <summary><c>embeddings models</c>: what the server can embed with, and what it takes to have more.</summary>
internal static class ModelsCommand
{
    public static Command Create(GlobalOptions globals)
    {
        var command = new Command("models", "Lists the server's models: what they embed, their sizes, licences and what they are not.")
        {
            ModelsListCommand.Create(globals),
            ModelsAddCommand.Create(globals),
            ModelsPullCommand.Create(globals),
            ModelsCheckCommand.Create(globals),
            ModelsPresetsCommand.Create(globals),
        };
        return ModelsListCommand.Listing(command, globals);
    }
}
