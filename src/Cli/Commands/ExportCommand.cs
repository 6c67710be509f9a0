using System.CommandLine;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Embeddings.Cli.Printing;
using Embeddings.Client;
using Embeddings.V1;

namespace Embeddings.Cli.Commands;

/// <summary><c>embeddings export</c>: all data of the points that match, from one or all collections.</summary>
internal static class ExportCommand
{
    private const int PageSize = 500;

    private static readonly JsonSerializerOptions Lines = new()
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    public static Command Create(GlobalOptions globals)
    {
        var collections = new Option<string[]>("--collection", "-c")
        {
            Description = "Collection to export from. Can be repeated. [default: all]",
        };
        var to = CommonOptions.Text("--to", "FILE", "File to write to; must not exist. [default: standard output]");
        var vectors = new Option<bool>("--vectors") { Description = "Include the vectors." };
        var everything = new Option<bool>("--all") { Description = "Export all points; without it, a condition is required." };
        var filter = new FilterOptions();
        var command = new Command(
            "export",
            "Exports everything that is stored about the points that match: one JSON object per line with the collection, all "
            + "fields, and all attributes. It answers requests of persons for their data.")
        {
            collections, to, vectors, everything,
        };
        filter.AddTo(command);
        return globals.Calling(command, async (parsed, client, output, cancellationToken) =>
        {
            var which = filter.Read(parsed);
            if (which is null == !parsed.GetValue(everything))
            {
                throw ArgumentErrors.New(
                    "Set either conditions (--job-id, --media-store-id, --face-index, --attribute, --filter) or --all.");
            }
            var path = parsed.GetValue(to);
            await using var file = path is null ? null : Create(path);
            var writer = file ?? parsed.InvocationConfiguration.Output;
            var names = parsed.GetValue(collections)!;
            var exported = 0L;
            foreach (var name in names.Length > 0 ? names : await NamesAsync(client, cancellationToken))
            {
                var request = new ListVectorsRequest
                {
                    Collection = name,
                    Filter = which,
                    PageSize = PageSize,
                    WithVectors = parsed.GetValue(vectors),
                    VectorsAsBytes = true,
                };
                // Line by line as the pages arrive: a collection can have millions of points.
                await foreach (var point in client.ListAllVectorsAsync(request, cancellationToken))
                {
                    await writer.WriteLineAsync(Line(name, point));
                    exported++;
                }
            }
            await writer.FlushAsync(cancellationToken);
            output.Note($"{exported:N0} points exported{(path is null ? "" : $" to {path}")}");
        });
    }

    private static string Line(string collection, VectorPoint point)
    {
        var fields = JsonSerializer.SerializeToNode(JsonFields.Of(point), Lines)!.AsObject();
        fields.Insert(0, "collection", JsonValue.Create(collection));
        return fields.ToJsonString(Lines);
    }

    private static StreamWriter Create(string path)
    {
        try
        {
            return new(new FileStream(path, FileMode.CreateNew, FileAccess.Write));
        }
        catch (IOException) when (File.Exists(path))
        {
            throw ArgumentErrors.New($"--to must be a new file; '{path}' exists.");
        }
    }

    private static async Task<IReadOnlyList<string>> NamesAsync(EmbeddingsClient client, CancellationToken cancellationToken)
    {
        var names = new List<string>();
        await foreach (var collection in client.ListAllCollectionsAsync(cancellationToken))
        {
            names.Add(collection.Name);
        }
        return names;
    }
}
