using System.CommandLine;
using Embeddings.Cli.Printing;
using Embeddings.V1;

namespace Embeddings.Cli.Commands;

/// <summary><c>embeddings get ID</c>: one stored point.</summary>
internal static class GetCommand
{
    public static Command Create(GlobalOptions globals)
    {
        var id = new Argument<string>("id") { Description = "Id of the point: job_id, or job_id-face_index." };
        var kind = CommonOptions.Kind();
        var collection = CommonOptions.Collection();
        var command = new Command("get", "Prints one stored point; with --json, its whole vector.") { id, kind, collection };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var output = globals.Output(parsed);
            using var client = globals.Client(parsed);
            var request = new GetVectorRequest { Collection = parsed.CollectionOf(collection, kind), PointId = parsed.GetValue(id) };
            var point = (await client.GetVectorAsync(request, cancellationToken)).Point;
            output.Object(json => json.WritePoint(point));
            foreach (var line in JsonFields.Lines(point))
            {
                output.Line(line);
            }
            output.Line($"vector          {Vectors.Summary(point.Vector)}");
            return ExitCode.Done;
        });
        return command;
    }
}
