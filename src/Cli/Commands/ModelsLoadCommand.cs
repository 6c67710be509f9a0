using System.CommandLine;
using Embeddings.V1;

namespace Embeddings.Cli.Commands;

/// <summary><c>embeddings models load</c> and <c>unload</c>: changes the models of the server while it runs.</summary>
internal static class ModelsLoadCommand
{
    public static Command Load(GlobalOptions globals)
    {
        var name = Name();
        var command = new Command(
            "load", "Makes the server load a model from its folders and serve it: a new one, or one whose files have changed.") { name };
        return globals.Calling(command, async (parsed, client, output, cancellationToken) =>
        {
            var request = new LoadModelRequest { Name = parsed.GetRequiredValue(name) };
            var model = (await client.LoadModelAsync(request, cancellationToken)).Model;
            output.Object(new { model.Name, model.Fingerprint, model.ExecutionProvider, model.DefaultForKind });
            output.Line($"{model.Name} is served; fingerprint {model.Fingerprint}");
        });
    }

    public static Command Unload(GlobalOptions globals)
    {
        var name = Name();
        var command = new Command("unload", "Makes the server stop serving a model; calls in flight are completed.") { name };
        return globals.Calling(command, async (parsed, client, output, cancellationToken) =>
        {
            var request = new UnloadModelRequest { Name = parsed.GetRequiredValue(name) };
            await client.UnloadModelAsync(request, cancellationToken);
            output.Object(new { request.Name });
            output.Line($"{request.Name} is no longer served");
        });
    }

    private static Argument<string> Name() => new("name") { Description = "Name of the model in its manifest." };
}
