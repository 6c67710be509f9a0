using System.CommandLine;
using Embeddings.Cli.Printing;
using Embeddings.Client;

namespace Embeddings.Cli.Commands;

/// <summary><c>embeddings get ID</c>: one stored point.</summary>
internal static class GetCommand
{
    public static Command Create(GlobalOptions globals)
    {
        var id = new Argument<string>("id") { Description = "Id of the point: job_id, or job_id-face_index." };
        var collection = CollectionOptions.WithoutImages();
        var command = new Command("get", "Prints one stored point; with --json, its whole vector.") { id };
        collection.AddTo(command);
        command.Validators.Add(collection.RequireOne);
        return globals.Calling(command, async (parsed, client, output, cancellationToken) =>
        {
            var point = await client.GetVectorAsync(collection.Read(parsed), parsed.GetValue(id)!, cancellationToken);
            output.Object(JsonFields.Of(point), omitNulls: true);
            foreach (var line in JsonFields.Lines(point))
            {
                output.Line(line);
            }
            output.Line($"vector          {Vectors.Summary(point.Vector)}");
        });
    }
}
