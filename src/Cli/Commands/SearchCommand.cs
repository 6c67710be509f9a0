using System.CommandLine;
using Embeddings.Cli.Printing;
using Embeddings.V1;

namespace Embeddings.Cli.Commands;

/// <summary><c>embeddings search FILE|--point ID</c>: the stored points nearest to an image or to another point.</summary>
internal static class SearchCommand
{
    public static Command Create(GlobalOptions globals)
    {
        var file = new Argument<string?>("file")
        {
            Description = "Image to search with.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var point = CommonOptions.Text("--point", "ID", "Search with the vector of this stored point instead.");
        var kind = CommonOptions.Kind();
        var model = CommonOptions.Model();
        var collection = CommonOptions.Collection();
        var landmarks = CommonOptions.Landmarks();
        var limit = CommonOptions.Number("--limit", 10, 1, 1_000, "Maximum number of points, 1 to 1,000.", "-n");
        var threshold = new Option<float?>("--threshold", "-t") { Description = "Minimum cosine, -1 to 1." };
        var filter = new FilterOptions();
        var command = new Command("search", "Finds the stored points nearest to an image or to a stored point.")
        {
            file, point, kind, model, collection, landmarks, limit, threshold,
        };
        filter.AddTo(command);
        command.Validators.Add(result =>
        {
            if (result.GetValue(file) is null == result.GetValue(point) is null)
            {
                result.AddError("Set either an image file or --point ID.");
            }
        });
        return globals.Calling(command, async (parsed, client, output, cancellationToken) =>
        {
            var query = new SearchQuery { Model = parsed.GetValue(model) };
            var face = CommonOptions.ParseLandmarks(parsed.GetValue(landmarks), parsed.GetValue(kind));
            if (parsed.GetValue(point) is { } id)
            {
                query.PointId = id;
            }
            else
            {
                var path = parsed.GetValue(file)!;
                var image = await ImageFile.ReadAsync(path, ImageFile.DefaultMaxBytes, cancellationToken);
                if (parsed.GetValue(kind) == ItemKind.Face)
                {
                    query.Face = new FaceCrop { Image = image, Landmarks = face };
                }
                else
                {
                    query.Image = image;
                }
            }
            var request = new SearchVectorsRequest
            {
                Collection = parsed.CollectionOf(collection, kind),
                Queries = { query },
                Limit = parsed.GetValue(limit),
                Filter = filter.Read(parsed),
            };
            if (parsed.GetValue(threshold) is { } cosine)
            {
                request.ScoreThreshold = cosine;
            }
            Print(output, (await client.SearchVectorsAsync(request, cancellationToken)).Results[0].Points);
        });
    }

    private static void Print(Output output, IReadOnlyList<ScoredPoint> points)
    {
        var table = Tables.New("rank", "score", "point", "media_store_id", "job_id");
        foreach (var (i, found) in points.Index())
        {
            output.Object(JsonFields.Of(found.Point, i + 1, found.Score), omitNulls: true);
            var payload = found.Point.Payload ?? new();
            table.Add($"{i + 1}", $"{found.Score:0.0000}", found.Point.PointId, payload.MediaStoreId, payload.JobId);
        }
        if (points.Count > 0)
        {
            output.Table(table);
        }
        else
        {
            output.Line("nothing found");
        }
    }
}
