using System.Text.Json.Nodes;
using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.Testing;
using Embeddings.V1;

namespace Embeddings.IntegrationTests;

/// <summary>Real images: a search with a stored image finds it, and each broken file is an error of its item only.</summary>
[Collection(SharedServer.Name)]
public sealed class MaterialTests(ServerFixture server)
{
    private readonly string _collection = ServerFixture.NewCollection();

    [MaterialFact]
    public async Task A_search_with_a_stored_image_finds_it()
    {
        var files = Files("azure-samples").Where(file => Path.GetExtension(file).ToLowerInvariant() is ".jpg" or ".jpeg" or ".png").ToList();
        Assert.InRange(files.Count, 50, 1000);
        var answers = await server.Api.Ingest.StreamIngest().ExchangeAsync(files.Select((file, i) => Items.IngestImage(_collection, $"{i}", Picture(file))));
        Assert.All(answers, answer => Assert.True(answer.Ack is not null, $"{answer.Error}"));
        for (var i = 0; i < files.Count; i++)
        {
            var request = new SearchVectorsRequest { Collection = _collection, Queries = { new SearchQuery { Image = Picture(files[i]) } }, Limit = 1 };
            var best = (await server.Api.Vectors.SearchVectorsAsync(request).Bound()).Results[0].Points[0];
            // Two files may contain the same image; then either result is correct.
            Assert.True(best.Point.PointId == $"{i}" || best.Score > 0.99999f, $"{files[i]} found {files[int.Parse(best.Point.PointId)]} at {best.Score}");
            Assert.InRange(best.Score, 0.9999f, 1.0001f);
        }
    }

    [MaterialFact]
    public async Task A_search_with_a_stored_face_finds_it_by_its_landmarks()
    {
        var faces = (await File.ReadAllLinesAsync(Material.Path("faces.jsonl"))).Where(line => line.Length > 0).Select(line => JsonNode.Parse(line)!).Select(ToItem).ToList();
        Assert.InRange(faces.Count, 20, 1000);
        var answers = await server.Api.Ingest.StreamIngest().ExchangeAsync(faces.Select(face => new StreamIngestRequest { Collection = _collection, Face = face }));
        Assert.All(answers, answer => Assert.True(answer.Ack is not null, $"{answer.Error}"));
        foreach (var (face, id) in faces.Zip(answers.Select(answer => answer.Ack.PointId)))
        {
            var request = new SearchByMediaStoreIdRequest { Collection = _collection, MediaStoreId = face.MediaStoreId, Query = new() { Face = face.Face }, Limit = 1 };
            var best = (await server.Api.Vectors.SearchByMediaStoreIdAsync(request).Bound()).Result.Points[0];
            // Two entries may be the same image; then either result is correct.
            Assert.True(best.Point.PointId == id || best.Score > 0.99999f, $"{id} found {best.Point.PointId} at {best.Score}");
            var all = new SearchVectorsRequest { Collection = _collection, Queries = { request.Query }, Limit = 1 };
            best = (await server.Api.Vectors.SearchVectorsAsync(all).Bound()).Results[0].Points[0];
            Assert.True(best.Point.PointId == id || best.Score > 0.99999f, $"{id} found {best.Point.PointId} at {best.Score}");
            var payload = (await server.Api.Vectors.GetVectorAsync(new() { Collection = _collection, PointId = id }).Bound()).Point.Payload;
            Assert.Equal((face.Bbox, face.Confidence, face.Face.Landmarks), (payload.Bbox, payload.Confidence, payload.Landmarks));
        }
    }

    [MaterialFact]
    public async Task Each_broken_file_is_an_error_of_its_item_and_the_other_files_are_stored()
    {
        var files = Files("pillow");
        var answers = await server.Api.Ingest.StreamIngest().ExchangeAsync(files.Select(file => Items.IngestImage(_collection, Path.GetFileName(file), Picture(file))));
        Assert.Equal(files.Select(Path.GetFileName), answers.Select(answer => answer.ItemId));
        string[] reasons = ["IMAGE_EMPTY", "IMAGE_FORMAT_UNKNOWN", "IMAGE_MALFORMED", "IMAGE_TOO_LARGE", "VECTOR_ZERO"];
        Assert.All(answers.Where(answer => answer.Error is not null), answer => Assert.Contains(answer.Error.Reason, reasons));
        var good = answers.Count(answer => answer.Ack is not null);
        Assert.InRange(good, 50, files.Count - 10);
        Assert.Equal(good, (await server.Api.Vectors.CountVectorsAsync(new() { Collection = _collection }).Bound()).Count);
        Assert.NotNull((await server.Api.Embedding.EmbedImageAsync(new() { Image = TestImages.Photo(1) }).Bound()).Embedding);
    }

    private static List<string> Files(string folder) =>
        [.. Directory.EnumerateFiles(Material.Path("images", folder), "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)];

    private static Image Picture(string file) => TestImages.Encoded(File.ReadAllBytes(file));

    private static FaceItem ToItem(JsonNode line)
    {
        var points = line["landmarks"]!.AsArray().Select(point => new Point { X = (float)point![0]!, Y = (float)point[1]! }).ToList();
        var box = line["bbox"]!;
        return new()
        {
            JobId = (string)line["job_id"]!,
            MediaStoreId = (string)line["media_store_id"]!,
            FaceIndex = (int)line["face_index"]!,
            Confidence = (float)line["confidence"]!,
            Bbox = new() { X = (float)box["x"]!, Y = (float)box["y"]!, Width = (float)box["width"]!, Height = (float)box["height"]! },
            Face = new()
            {
                Image = Picture(Material.Path((string)line["path"]!)),
                Landmarks = new() { LeftEye = points[0], RightEye = points[1], Nose = points[2], LeftMouthCorner = points[3], RightMouthCorner = points[4] },
            },
        };
    }
}
