using System.CommandLine;
using Embeddings.Cli.Printing;
using Embeddings.V1;

namespace Embeddings.Cli.Commands;

/// <summary><c>embeddings get ID</c>: one stored point.</summary>
internal static class GetCommand
{
    private const int ShownValues = 6;

    public static Command Create(GlobalOptions globals)
    {
        var id = new Argument<string>("id") { Description = "The point's id: job_id, or job_id-face_index." };
        var kind = CommonOptions.Kind();
        var collection = CommonOptions.Collection();
        var command = new Command("get", "Prints one stored point; all of its vector with --json.") { id, kind, collection };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var output = globals.Output(parsed);
            using var client = globals.Client(parsed);
            var request = new GetVectorRequest { Collection = parsed.CollectionOf(collection, kind), PointId = parsed.GetValue(id) };
            var point = (await client.GetVectorAsync(request, cancellationToken)).Point;
            output.Object(json => json.WritePoint(point));
            foreach (var line in PointText.Lines(point))
            {
                output.Line(line);
            }
            output.Line($"vector          ({point.Vector.Count},) norm {Vectors.Norm(point.Vector):0.000000} {Vectors.Beginning(point.Vector, ShownValues)}");
            return ExitCode.Done;
        });
        return command;
    }
}
