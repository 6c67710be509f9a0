using System.Text.Json;
using System.Text.Json.Serialization;
using Embeddings.V1;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;

namespace Embeddings.Cli.Samples;

/// <summary>A sample image of one subject.</summary>
/// <param name="File">Name of its resource.</param>
/// <param name="Kind">Whole image or face.</param>
/// <param name="Subject">The subject, for example <c>scene-03</c> or <c>face-11</c>.</param>
/// <param name="Number">Number of the image among those of the subject, from 1.</param>
/// <param name="Points">Five [x, y] landmarks in pixels, or null for scenes.</param>
internal sealed record Sample(
    string File, ItemKind Kind, string Subject, int Number, [property: JsonPropertyName("landmarks")] float[][]? Points)
{
    private readonly Lazy<byte[]> _jpeg = new(() => SampleSet.Read(File));

    [JsonIgnore]
    public ReadOnlyMemory<byte> Jpeg => _jpeg.Value;

    [JsonIgnore]
    public string JobId => $"sample-{Subject}-v{Number}";

    [JsonIgnore]
    public string MediaStoreId => $"sample-{Subject}";

    [JsonIgnore]
    public FaceLandmarks? Landmarks =>
        Points is null ? null : FacePoints.From(Points.Select(point => (point[0], point[1])));

    [JsonIgnore]
    public Image Image => new() { Encoded = UnsafeByteOperations.UnsafeWrap(Jpeg) };

    [JsonIgnore]
    public FaceCrop Face => new() { Image = Image, Landmarks = Landmarks };

    public StreamIngestRequest ToRequest(string collection)
    {
        var attributes = new Struct { Fields = { ["subject"] = Value.ForString(Subject) } };
        var request = new StreamIngestRequest { ItemId = JobId, Collection = collection };
        if (Kind == ItemKind.Face)
        {
            request.Face = new FaceItem
            {
                JobId = JobId,
                MediaStoreId = MediaStoreId,
                Face = Face,
                Confidence = 1,
                Attributes = attributes,
            };
        }
        else
        {
            request.Image = new ImageItem
            {
                JobId = JobId,
                MediaStoreId = MediaStoreId,
                Image = Image,
                Attributes = attributes,
            };
        }
        return request;
    }
}

/// <summary>
/// Sample scenes and faces, each in several images that differ in light, crop, scale and JPEG quality. They are
/// generated drawings: that they are found again does not show how well a model works on photographs.
/// </summary>
internal static class SampleSet
{
    /// <summary>Number of images of each subject that are stored: numbers 1 to this.</summary>
    public const int StoredImages = 5;

    /// <summary>Number of the image of each subject that is never stored and used to search.</summary>
    public const int HeldOut = StoredImages + 1;

    private static readonly Lazy<IReadOnlyList<Sample>> Loaded =
        new(() => JsonSerializer.Deserialize(Read("samples.json"), SampleJson.Default.IReadOnlyListSample)!);

    /// <summary>All samples, in order of kind, subject and number.</summary>
    public static IReadOnlyList<Sample> All => Loaded.Value;

    /// <summary>The samples to store.</summary>
    public static IEnumerable<Sample> Stored => All.Where(sample => sample.Number != HeldOut);

    /// <summary>Returns the samples to search with, one per subject.</summary>
    public static IEnumerable<Sample> Queries(ItemKind kind) =>
        All.Where(sample => sample.Kind == kind && sample.Number == HeldOut);

    /// <summary>Returns an image of the n-th subject of a kind; both count from 1.</summary>
    public static Sample Get(ItemKind kind, int subject, int number)
    {
        var name = $"{(kind == ItemKind.Face ? "face" : "scene")}-{subject:00}";
        return All.Single(sample => sample.Subject == name && sample.Number == number);
    }

    internal static byte[] Read(string file)
    {
        using var stream = typeof(SampleSet).Assembly.GetManifestResourceStream($"samples/{file}")!;
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, UseStringEnumConverter = true)]
[JsonSerializable(typeof(IReadOnlyList<Sample>))]
internal sealed partial class SampleJson : JsonSerializerContext;
