using Embeddings.TestModels;
using Embeddings.V1;

namespace Embeddings.IntegrationTests.Infrastructure;

/// <summary>Requests that many tests use.</summary>
internal static class Items
{
    public const string ImageModel = Descriptor.ImageModel;
    public const string FaceModel = Descriptor.FaceModel;
    public const int Dimension = 512;

    public static StreamEmbedRequest EmbedFace(string id, FaceCrop face, string model = "") => new() { ItemId = id, Face = face, Model = model };

    public static StreamEmbedRequest EmbedImage(string id, Image image, string model = "") => new() { ItemId = id, Image = image, Model = model };

    public static StreamIngestRequest IngestFace(string collection, string job, int face, FaceCrop crop, string media = "m") => new()
    {
        ItemId = $"{job}/{face}",
        Collection = collection,
        Face = new() { JobId = job, MediaStoreId = media, FaceIndex = face, Face = crop, Confidence = 0.9f, Bbox = new() { X = 1, Y = 2, Width = 3, Height = 4 } },
    };

    public static StreamIngestRequest IngestImage(string collection, string job, Image image, string media = "m") => new()
    {
        ItemId = job,
        Collection = collection,
        Image = new() { JobId = job, MediaStoreId = media, Image = image },
    };

    /// <summary>A random vector; the same seed gives the same vector.</summary>
    public static float[] Vector(int seed, int dimension = Dimension)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, dimension).Select(_ => (float)(random.NextDouble() - 0.5))];
    }

    public static VectorPoint Point(string id, IEnumerable<float> vector, Payload? payload = null) =>
        new() { PointId = id, Vector = { vector }, Payload = payload };

    public static StreamUpsertVectorsRequest Upsert(string collection, string id, IEnumerable<float> vector) =>
        new() { ItemId = $"item-{id}", Collection = collection, Point = Point(id, vector) };

    public static double Norm(Embedding embedding) => Math.Sqrt(embedding.Values.Sum(value => (double)value * value));

    /// <summary>The largest difference between the values of two vectors.</summary>
    public static double Distance(IEnumerable<float> left, IEnumerable<float> right) => left.Zip(right, (a, b) => Math.Abs((double)a - b)).Max();
}
