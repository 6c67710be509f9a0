using System.CommandLine;
using System.Globalization;
using Embeddings.Cli.Printing;
using Embeddings.Client;
using Embeddings.V1;

namespace Embeddings.Cli.Commands;

/// <summary><c>embeddings list</c>: points, or collections.</summary>
internal static class ListCommand
{
    private const int PageSize = 500;

    public static Command Create(GlobalOptions globals)
    {
        var collections = new Option<bool>("--collections") { Description = "List the collections instead of points." };
        var collection = CollectionOptions.WithoutImages();
        var limit = CommonOptions.Number("--limit", 100, 0, int.MaxValue, "Maximum number to list; 0 for all.", "-n");
        var vectors = new Option<bool>("--vectors") { Description = "With --json, include the vectors of the points." };
        var order = CommonOptions.Text(
            "--order-by",
            "FIELD",
            "Order of the points: point-id, stored-at, confidence, or an indexed attribute as attribute:PATH. [default: that of the store]");
        var descending = new Option<bool>("--descending") { Description = "With --order-by, begin with the largest value." };
        var filter = new FilterOptions();
        var command = new Command("list", "Lists the points of a collection, or the collections.")
        {
            collections, limit, vectors, order, descending,
        };
        collection.AddTo(command);
        command.Validators.Add(collection.RequireOne);
        command.Validators.Add(result =>
        {
            if (result.GetValue(collections) && collection.IsGiven(result))
            {
                result.AddError("--collections lists all collections; --kind and --collection select the points of one.");
            }
            if (result.GetValue(descending) && result.GetValue(order) is null)
            {
                result.AddError("--descending requires --order-by.");
            }
        });
        filter.AddTo(command);
        return globals.Calling(command, (parsed, client, output, cancellationToken) =>
        {
            var most = parsed.GetValue(limit) is > 0 and var some ? some : int.MaxValue;
            return parsed.GetValue(collections)
                ? ListCollectionsAsync(client, output, most, cancellationToken)
                : ListPointsAsync(
                    client,
                    output,
                    new()
                    {
                        Collection = collection.Read(parsed),
                        Filter = filter.Read(parsed),
                        PageSize = Math.Min(most, PageSize),
                        WithVectors = output.Json && parsed.GetValue(vectors),
                        VectorsAsBytes = true,
                        OrderBy = Order(parsed.GetValue(order), parsed.GetValue(descending)),
                    },
                    most,
                    cancellationToken);
        });
    }

    private static OrderBy? Order(string? field, bool descending)
    {
        const string Attribute = "attribute:";
        return field switch
        {
            null => null,
            "point-id" => new() { PointId = true, Descending = descending },
            "stored-at" => new() { StoredAt = true, Descending = descending },
            "confidence" => new() { Confidence = true, Descending = descending },
            _ when field.StartsWith(Attribute, StringComparison.Ordinal) =>
                new() { Attribute = AttributePaths.Parse(field[Attribute.Length..], "--order-by"), Descending = descending },
            _ => throw ArgumentErrors.New(
                $"--order-by must be point-id, stored-at, confidence, or attribute:PATH; got '{field}'."),
        };
    }

    // Line by line as the pages arrive and not as a table, because a collection can have millions of points.
    private static async Task ListPointsAsync(
        EmbeddingsClient client, Output output, ListVectorsRequest request, int most, CancellationToken cancellationToken)
    {
        await foreach (var point in client.ListAllVectorsAsync(request, cancellationToken).Take(most))
        {
            output.Object(JsonFields.Of(point), omitNulls: true);
            var (mediaStoreId, jobId) = (point.Payload?.MediaStoreId, point.Payload?.JobId);
            output.Line(ErrorLine.OneLine($"{point.PointId}  media_store_id={mediaStoreId}  job_id={jobId}"));
        }
    }

    private static async Task ListCollectionsAsync(
        EmbeddingsClient client, Output output, int most, CancellationToken cancellationToken)
    {
        var table = new TextTable("collection", "dimension", "points", "model");
        await foreach (var item in client.ListAllCollectionsAsync(cancellationToken).Take(most))
        {
            output.Object(new { item.Name, item.Dimension, item.PointCount, item.Model, item.ModelFingerprint });
            var dimension = item.Dimension.ToString(CultureInfo.InvariantCulture);
            table.Add(item.Name, dimension, item.PointCount.ToString("N0", CultureInfo.InvariantCulture), item.Model);
        }
        output.Table(table);
    }
}
