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
        var kind = CommonOptions.Kind();
        var collection = CommonOptions.Collection();
        var limit = CommonOptions.Number("--limit", 100, 0, int.MaxValue, "Maximum number to list; 0 for all.", "-n");
        var vectors = new Option<bool>("--vectors") { Description = "With --json, include the vectors of the points." };
        var filter = new FilterOptions();
        var command = new Command("list", "Lists the points of a collection, or the collections.") { collections, kind, collection, limit, vectors };
        filter.AddTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var output = globals.Output(parsed);
            var most = parsed.GetValue(limit) is > 0 and var some ? some : int.MaxValue;
            using var client = globals.Client(parsed);
            if (parsed.GetValue(collections))
            {
                await ListCollectionsAsync(client, output, most, cancellationToken);
            }
            else
            {
                var request = new ListVectorsRequest
                {
                    Collection = parsed.CollectionOf(collection, kind),
                    Filter = filter.Read(parsed),
                    WithVectors = output.Json && parsed.GetValue(vectors),
                };
                await ListPointsAsync(client, output, request, most, cancellationToken);
            }
            return ExitCode.Done;
        });
        return command;
    }

    // Line by line as the pages arrive and not as a table, because a collection can have millions of points.
    private static async Task ListPointsAsync(
        EmbeddingsClient client, Output output, ListVectorsRequest request, int most, CancellationToken cancellationToken)
    {
        request.PageSize = Math.Min(most, PageSize);
        await foreach (var point in client.ListAllVectorsAsync(request, cancellationToken).Take(most))
        {
            output.Object(json => json.WritePoint(point));
            output.Line(ErrorLine.OneLine($"{point.PointId}  media_store_id={point.Payload?.MediaStoreId}  "
                + $"job_id={point.Payload?.JobId}"));
        }
    }

    private static async Task ListCollectionsAsync(
        EmbeddingsClient client, Output output, int most, CancellationToken cancellationToken)
    {
        var table = Tables.New("collection", "dimension", "points", "model");
        await foreach (var item in client.ListAllCollectionsAsync(cancellationToken).Take(most))
        {
            output.Object(json =>
            {
                json.WriteString("name", item.Name);
                json.WriteNumber("dimension", item.Dimension);
                json.WriteNumber("point_count", item.PointCount);
                json.WriteString("model", item.Model);
                json.WriteString("model_fingerprint", item.ModelFingerprint);
            });
            var dimension = item.Dimension.ToString(CultureInfo.InvariantCulture);
            table.Add(item.Name, dimension, item.PointCount.ToString("N0", CultureInfo.InvariantCulture), item.Model);
        }
        output.Table(table);
    }
}
