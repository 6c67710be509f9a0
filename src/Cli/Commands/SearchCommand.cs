using System.CommandLine;
using Embeddings.Cli.Printing;
using Embeddings.Client;
using Embeddings.Primitives;
using Embeddings.V1;

namespace Embeddings.Cli.Commands;

/// <summary><c>embeddings search FILE|--point ID</c>: the stored points nearest to an image or to another point.</summary>
internal static class SearchCommand
{
    private const int MaxOthers = 10;

    public static Command Create(GlobalOptions globals)
    {
        var file = new Argument<string?>("file")
        {
            Description = "Image to search with.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var point = CommonOptions.Text("--point", "ID", "Search with the vector of this stored point instead.");
        var model = CommonOptions.Model();
        var collection = CollectionOptions.WithImages();
        var landmarks = CommonOptions.Landmarks();
        var aligned = CommonOptions.Aligned();
        var limit = CommonOptions.Number("--limit", 10, 1, 1_000, "Maximum number of points, 1 to 1,000.", "-n");
        var threshold = new Option<float?>("--threshold", "-t") { Description = "Minimum cosine, -1 to 1." };
        var filter = new FilterOptions();
        var command = new Command("search", "Finds the stored points nearest to an image or to a stored point.")
        {
            file, point, model, landmarks, aligned, limit, threshold,
        };
        collection.AddTo(command);
        filter.AddTo(command);
        command.Validators.Add(result =>
        {
            if (result.GetValue(file) is null == result.GetValue(point) is null)
            {
                result.AddError("Set either an image file or --point ID.");
            }
            if (result.GetValue(point) is not null)
            {
                collection.RequireOne(result);
                if (result.GetValue(landmarks) is not null)
                {
                    result.AddError("--landmarks requires an image file.");
                }
            }
        });
        return globals.Calling(command, async (parsed, client, output, cancellationToken) =>
        {
            var query = new SearchQuery { Model = parsed.GetValue(model) };
            var face = CommonOptions.ParseLandmarks(parsed.GetValue(landmarks), parsed.GetValue(collection.Kind));
            if (parsed.GetValue(point) is { } id)
            {
                query.PointId = id;
            }
            else
            {
                var path = parsed.GetValue(file)!;
                var image = await ImageFile.ReadAsync(path, ImageFile.DefaultMaxBytes, cancellationToken);
                if (parsed.GetValue(collection.Kind) == ItemKind.Face)
                {
                    query.Face = new FaceCrop { Image = image, Landmarks = face, Aligned = parsed.GetValue(aligned) };
                }
                else
                {
                    query.Image = image;
                }
            }
            var request = new SearchVectorsRequest
            {
                Collection = collection.Read(parsed),
                Queries = { query },
                Limit = parsed.GetValue(limit),
                Filter = filter.Read(parsed),
            };
            if (parsed.GetValue(threshold) is { } cosine)
            {
                request.ScoreThreshold = cosine;
            }
            var isDefault = !collection.IsNamed(parsed.CommandResult);
            try
            {
                var points = (await client.SearchVectorsAsync(request, cancellationToken)).Results[0].Points;
                Print(output, points);
                if (points.Count == 0 && !output.Json)
                {
                    var others = isDefault ? await OthersAsync(client, request.Collection, cancellationToken) : "";
                    output.Line($"nothing found in collection {request.Collection}{others}");
                }
            }
            catch (EmbeddingsException e) when (isDefault && e.Reason == Reasons.CollectionNotFound)
            {
                var others = await OthersAsync(client, request.Collection, cancellationToken);
                throw new EmbeddingsException(e.Status, e.Reason, e.Message.TrimEnd('.') + others, e.Field, inner: e);
            }
        });
    }

    // A search in the wrong collection is the most frequent reason of an empty result.
    private static async Task<string> OthersAsync(
        EmbeddingsClient client, string collection, CancellationToken cancellationToken)
    {
        var others = await client.ListAllCollectionsAsync(cancellationToken)
            .Where(item => item.Name != collection && item.PointCount > 0)
            .Take(MaxOthers + 1)
            .Select(item => $"{item.Name} ({item.PointCount:N0} points)")
            .ToListAsync(cancellationToken);
        var more = others.Count > MaxOthers ? ", and more" : "";
        return others.Count == 0
            ? "; no other collection has points."
            : $"; other collections: {string.Join(", ", others.Take(MaxOthers))}{more}. Choose one with --collection.";
    }

    private static void Print(Output output, IReadOnlyList<ScoredPoint> points)
    {
        var table = new TextTable("rank", "score", "point", "media_store_id", "job_id", "attributes");
        foreach (var (i, found) in points.Index())
        {
            output.Object(JsonFields.Of(found.Point, i + 1, found.Score), omitNulls: true);
            var payload = found.Point.Payload ?? new();
            table.Add(
                $"{i + 1}",
                $"{found.Score:0.0000}",
                found.Point.PointId,
                payload.MediaStoreId,
                payload.JobId,
                JsonFields.Text(payload.Attributes));
        }
        if (points.Count > 0)
        {
            output.Table(table);
        }
    }
}
