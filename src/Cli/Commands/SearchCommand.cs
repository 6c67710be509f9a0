using System.CommandLine;
using Embeddings.Cli.Printing;
using Embeddings.Client;
using Embeddings.Primitives;
using Embeddings.V1;

namespace Embeddings.Cli.Commands;

/// <summary><c>embeddings search FILE|--point ID</c>: the stored points nearest to an image or to other points.</summary>
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
        var point = Ids("--point", "Search with the vector of this stored point instead; with several, by the mean of their vectors.");
        var unlike = Ids("--unlike", "Prefer points that do not resemble this stored point. May be repeated.");
        var model = CommonOptions.Model();
        var collection = CollectionOptions.WithImages();
        var landmarks = CommonOptions.Landmarks();
        var aligned = CommonOptions.Aligned();
        var limit = CommonOptions.Number("--limit", 10, 1, 1_000, "Maximum number of points, or groups, 1 to 1,000.", "-n");
        var offset = CommonOptions.Number("--offset", 0, 0, 10_000, "Number of best points, or groups, to skip, 0 to 10,000.");
        var threshold = CommonOptions.Threshold("Minimum cosine, -1 to 1.");
        var exact = new Option<bool?>("--exact")
        {
            Description = "true: compare with every vector; false: use an approximate index. [default: the store's]",
        };
        var groupBy = CommonOptions.Text(
            "--group-by",
            "FIELD",
            "Show the best points of each media_store_id, job_id, person, or attribute.NAME (attribute.OUTER.INNER if it is nested).");
        var groupSize = CommonOptions.Number("--group-size", 1, 1, 100, "Maximum number of points per group, 1 to 100.");
        var filter = new FilterOptions();
        var command = new Command("search", "Finds the stored points nearest to an image or to a stored point.")
        {
            file, point, unlike, model, landmarks, aligned, limit, offset, threshold, exact, groupBy, groupSize,
        };
        collection.AddTo(command);
        filter.AddTo(command);
        command.Validators.Add(result =>
        {
            var points = result.GetValue(point) ?? [];
            if (result.GetValue(file) is null == points.Length is 0)
            {
                result.AddError("Set either an image file or --point ID.");
            }
            if (result.GetValue(groupBy) is null && result.GetResult(groupSize) is { Implicit: false })
            {
                result.AddError("--group-size requires --group-by.");
            }
            if (points.Length > 0)
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
            List<Example> examples = [.. (parsed.GetValue(point) ?? []).Select(id => new Example { PointId = id })];
            if (parsed.GetValue(file) is { } path)
            {
                var image = await ImageFile.ReadAsync(path, ImageFile.DefaultMaxBytes, cancellationToken);
                examples.Add(parsed.GetValue(collection.Kind) == ItemKind.Face
                    ? new() { Face = new() { Image = image, Landmarks = face, Aligned = parsed.GetValue(aligned) } }
                    : new() { Image = image });
            }
            var negative = (parsed.GetValue(unlike) ?? []).Select(id => new Example { PointId = id });
            SetItem(query, examples, [.. negative]);
            var request = new SearchVectorsRequest
            {
                Collection = collection.Read(parsed),
                Queries = { query },
                Limit = parsed.GetValue(limit),
                Offset = parsed.GetValue(offset),
                Filter = filter.Read(parsed),
                GroupBy = ParseGroup(parsed.GetValue(groupBy), parsed.GetValue(groupSize)),
            };
            if (parsed.GetValue(exact) is { } isExact)
            {
                request.Params = new() { Exact = isExact };
            }
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

    private static Option<string[]> Ids(string name, string description) =>
        new(name) { HelpName = "ID", Description = description, Arity = ArgumentArity.OneOrMore };

    // A single example is a query of its own, which earlier servers know, too.
    private static void SetItem(SearchQuery query, List<Example> positive, List<Example> negative)
    {
        if (positive is not [var only] || negative.Count > 0)
        {
            query.Examples = new() { Positive = { positive }, Negative = { negative } };
        }
        else if (only.HasPointId)
        {
            query.PointId = only.PointId;
        }
        else if (only.Face is not null)
        {
            query.Face = only.Face;
        }
        else
        {
            query.Image = only.Image;
        }
    }

    /// <summary>Parses the value of <c>--group-by</c>; null if there is none.</summary>
    /// <exception cref="ToolException">The field does not exist.</exception>
    private static GroupBy? ParseGroup(string? field, int size)
    {
        const string Attribute = "attribute.";
        return field switch
        {
            null => null,
            "media_store_id" => new() { Field = GroupField.MediaStoreId, GroupSize = size },
            "job_id" => new() { Field = GroupField.JobId, GroupSize = size },
            "person" => new() { Field = GroupField.Person, GroupSize = size },
            _ when field.StartsWith(Attribute, StringComparison.Ordinal) => new()
            {
                Field = GroupField.Attribute,
                Attribute = new() { Names = { field[Attribute.Length..].Split('.') } },
                GroupSize = size,
            },
            _ => throw ArgumentErrors.New(
                $"--group-by must be media_store_id, job_id, person, or attribute.NAME; got '{field}'."),
        };
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
