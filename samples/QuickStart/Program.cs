using Embeddings.Client;
using Embeddings.V1;
using Google.Protobuf;

// Embeds an image, stores several, and searches them. Arguments: image files; without any, three images are drawn.
const string Collection = "quick_start";

var images = args.Length > 0 ? [.. args.Select(ReadImage)] : DrawImages();
var address = Environment.GetEnvironmentVariable("EMBEDDINGS_ADDRESS") ?? "127.0.0.1:50051";
using var client = EmbeddingsClient.ForAddress(address);
try
{
    await client.WaitUntilServingAsync(TimeSpan.FromSeconds(10));

    // 1. Embed: the vector is returned and not stored. Without a model name, the server uses its default image model.
    var query = images[0];
    var embedding = (await client.EmbedImageAsync(new EmbedImageRequest { Image = query.Image })).Embedding;
    Console.WriteLine($"embedded {query.JobId}: {embedding.Values.Count} dimensions, model {embedding.Model}");

    // 2. Ingest: embed and store in one call. It returns once the point is durable; running it again replaces the point.
    foreach (var item in images)
    {
        var request = new IngestImageRequest { Item = item, Collection = Collection };
        var ack = (await client.IngestImageAsync(request)).Ack;
        Console.WriteLine($"stored {ack.PointId} in {ack.Collection}");
    }

    // 3. Search: the nearest points by cosine similarity, best first.
    foreach (var found in await client.SearchVectorsAsync(Collection, embedding.Values.ToArray(), limit: 3))
    {
        Console.WriteLine($"found {found.Point.PointId} with score {found.Score:F4}");
    }

    // 4. Delete what the sample stored.
    var deleted = await client.DeleteCollectionAsync(new DeleteCollectionRequest { Collection = Collection });
    Console.WriteLine($"deleted {deleted.DeletedCount} points");
    return 0;
}
catch (EmbeddingsException error)
{
    Console.Error.WriteLine($"{error.Reason}: {error.Message}");
    return 1;
}

static ImageItem ReadImage(string file) => new()
{
    JobId = Path.GetFileNameWithoutExtension(file),
    MediaStoreId = "quick-start",
    Image = new Image { Encoded = ByteString.CopyFrom(File.ReadAllBytes(file)) },
};

static ImageItem[] DrawImages() =>
[
    Draw("gradient", (x, y) => (x * 4, y * 4, 128)),
    Draw("stripes", (x, _) => (x / 8 % 2 * 255, 64, 0)),
    Draw("checkerboard", (x, y) => ((x / 8 + y / 8) % 2 * 255, 255, 255)),
];

static ImageItem Draw(string jobId, Func<int, int, (int Red, int Green, int Blue)> color)
{
    const int Side = 64;
    var data = new byte[Side * Side * 3];
    for (var pixel = 0; pixel < Side * Side; pixel++)
    {
        var (red, green, blue) = color(pixel % Side, pixel / Side);
        data[3 * pixel] = (byte)red;
        data[(3 * pixel) + 1] = (byte)green;
        data[(3 * pixel) + 2] = (byte)blue;
    }

    // Raw pixels; most programs send the content of an image file instead, as ReadImage does.
    var pixels = new PixelBuffer
    {
        Width = Side,
        Height = Side,
        Format = PixelFormat.Rgb8,
        Data = ByteString.CopyFrom(data),
    };
    return new ImageItem { JobId = jobId, MediaStoreId = "quick-start", Image = new Image { Pixels = pixels } };
}
