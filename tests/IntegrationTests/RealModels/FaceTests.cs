using System.Text.Json;
using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.Testing;
using Embeddings.V1;
using Google.Protobuf;
using Files = Embeddings.Testing.Material;

namespace Embeddings.IntegrationTests.RealModels;

/// <summary>Photos with landmarks: the vectors must distinguish people.</summary>
public sealed class FaceTests(MaterialServer server, ITestOutputHelper output) : IClassFixture<MaterialServer>
{
    [MaterialFact]
    public async Task Photos_with_landmarks_distinguish_people_and_match_their_crops()
    {
        var faces = File.ReadLines(Files.Path("faces.jsonl")).Select(line => JsonDocument.Parse(line).RootElement).ToList();
        var people = faces.Select(face => face.GetProperty("media_store_id").GetString()!).ToList();
        var vectors = await server.StreamAsync(faces.Select((face, i) => Items.EmbedFace($"{i}", Crop(face), MaterialServer.Faces)));

        var pairs = (from a in Enumerable.Range(0, vectors.Count)
                     from b in Enumerable.Range(a + 1, vectors.Count - a - 1)
                     select (A: a, B: b, Same: people[a] == people[b], Cosine: MaterialServer.Cosine(vectors[a], vectors[b]))).ToList();
        var highest = pairs.Where(pair => !pair.Same).MaxBy(pair => pair.Cosine);
        var below = pairs.Where(pair => pair.Same && pair.Cosine <= highest.Cosine).OrderBy(pair => pair.Cosine).ToList();
        output.WriteLine($"{pairs.Count(pair => pair.Same)} same, {pairs.Count(pair => !pair.Same)} different; highest different {Show(highest)}");
        below.ForEach(pair => output.WriteLine($"same below it: {Show(pair)}"));
        // docs/models.md has the figures.
        Assert.True(below.Count == ExpectedBelow, $"{below.Count}: {string.Join("; ", below.Select(Show))}; highest different {Show(highest)}");
        Assert.InRange(highest.Cosine, 0.3, 0.6);

        var crops = await server.StreamAsync(CropFiles().Select((file, i) => Items.EmbedFace($"{i}", Encoded(file), MaterialServer.Faces)));
        var cosines = vectors.Zip(crops, MaterialServer.Cosine).ToList();
        output.WriteLine($"photograph to crop: lowest {cosines.Min():F4}");
        Assert.True(cosines.Min() >= 0.98, string.Join(' ', cosines.Select(cosine => $"{cosine:F4}")));

        string Show((int A, int B, bool Same, double Cosine) pair) =>
            $"{faces[pair.A].GetProperty("path").GetString()} {faces[pair.B].GetProperty("path").GetString()} {pair.Cosine:F4}";
    }

    private const int ExpectedBelow = 0;

    // faces.csv lists the crop of each photo, in the order of faces.jsonl.
    private static IEnumerable<string> CropFiles() => File.ReadLines(Files.Path("faces.csv")).Skip(1).Select(line => Files.Path(line.Split(',')[0].Split('/')));

    private static FaceCrop Crop(JsonElement face)
    {
        var points = face.GetProperty("landmarks").EnumerateArray().Select(at => new Point { X = at[0].GetSingle(), Y = at[1].GetSingle() }).ToList();
        var crop = Encoded(Files.Path(face.GetProperty("path").GetString()!.Split('/')));
        crop.Landmarks = new() { LeftEye = points[0], RightEye = points[1], Nose = points[2], LeftMouthCorner = points[3], RightMouthCorner = points[4] };
        return crop;
    }

    private static FaceCrop Encoded(string file) => new() { Image = new() { Encoded = ByteString.CopyFrom(File.ReadAllBytes(file)) } };
}
