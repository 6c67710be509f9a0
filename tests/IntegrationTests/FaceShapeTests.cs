using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.V1;
using Grpc.Core;

namespace Embeddings.IntegrationTests;

/// <summary>A face that is plainly a whole photo is refused everywhere, with what to do; an aligned crop never is.</summary>
[Collection(SharedServer.Name)]
public sealed class FaceShapeTests(ServerFixture server)
{
    private const string Reason = "FACE_NOT_CROPPED";

    public static TheoryData<int, int, bool> Sizes => new()
    {
        { 112, 112, true }, { 1, 1, true }, { 80, 110, true }, { 128, 40, true }, { 300, 300, true }, { 512, 512, true },
        { 1024, 1024, true }, { 210, 200, true }, { 1025, 1025, false }, { 640, 480, false }, { 240, 320, false },
        { 129, 100, false }, { 211, 200, false }, { 200, 211, false }, { 4, 900, false },
    };

    [Theory]
    [MemberData(nameof(Sizes))]
    public async Task Size_and_shape_tell_a_crop_from_a_photo(int width, int height, bool isCrop)
    {
        var file = new FaceCrop { Image = TestImages.Encoded(TestImages.Encode(TestImages.Smooth(width, height), width, height, 3, ".jpg")) };
        var raw = new FaceCrop { Image = TestImages.Pixels(PixelFormat.Gray8, width, height, new byte[width * height]) };
        raw.Image.Pixels.Data = Google.Protobuf.ByteString.CopyFrom([.. Enumerable.Range(0, width * height).Select(i => (byte)i)]);
        foreach (var face in (FaceCrop[])[file, raw])
        {
            if (isCrop)
            {
                Assert.NotNull(await EmbedAsync(face));
                continue;
            }
            var error = await server.Api.Embedding.EmbedFaceAsync(new() { Face = face }).FailsAsync(StatusCode.InvalidArgument, Reason, "face.image");
            Assert.Contains($"{width} x {height}", error.Status.Detail, StringComparison.Ordinal);
            Assert.Contains("IngestPhoto", error.Status.Detail, StringComparison.Ordinal);
            Assert.Contains("aligned", error.Status.Detail, StringComparison.Ordinal);
            face.Aligned = true;
            Assert.NotNull(await EmbedAsync(face));
        }
    }

    [Fact]
    public async Task Landmarks_make_a_face_of_a_photo()
    {
        var face = new FaceCrop { Image = TestImages.Photo(1), Landmarks = TestImages.Landmarks(1.5f, 60, 40) };
        Assert.NotNull(await EmbedAsync(face));
    }

    [Fact]
    public async Task A_photo_is_refused_by_all_methods_for_faces()
    {
        var photo = new FaceCrop { Image = TestImages.Photo(1) };
        var collection = ServerFixture.NewCollection();
        await server.Api.Ingest.IngestFaceAsync(new() { Item = new() { JobId = "a", Face = photo }, Collection = collection })
            .FailsAsync(StatusCode.InvalidArgument, Reason, "item.face.image");
        var answers = await server.Api.Ingest.StreamIngest().ExchangeAsync(
            [Items.IngestFace(collection, "a", 0, TestImages.Crop(1)), Items.IngestFace(collection, "b", 0, photo), Items.IngestFace(collection, "c", 0, TestImages.Crop(2))]);
        Assert.Equal([true, false, true], answers.Select(answer => answer.Ack is not null));
        Assert.Equal((Reason, "face.face.image"), (answers[1].Error.Reason, answers[1].Error.Field));
        var embedded = await server.Api.Embedding.StreamEmbed().ExchangeAsync([Items.EmbedFace("a", photo)]);
        Assert.Equal((Reason, "face.image"), (embedded[0].Error.Reason, embedded[0].Error.Field));
        await server.Api.Vectors.SearchVectorsAsync(new() { Collection = collection, Queries = { new SearchQuery { Face = photo } } })
            .FailsAsync(StatusCode.InvalidArgument, Reason, "queries[0].face.image");
        Assert.Equal(2, (await server.Api.Vectors.CountVectorsAsync(new() { Collection = collection }).Bound()).Count);

        // The same picture as a whole image, and as a crop by the caller's word.
        await server.Api.Embedding.EmbedImageAsync(new() { Image = photo.Image }).Bound();
        photo.Aligned = true;
        await server.Api.Ingest.IngestFaceAsync(new() { Item = new() { JobId = "a", Face = photo }, Collection = collection }).Bound();
    }

    [MaterialFact]
    public async Task All_photos_are_refused_and_all_crops_embedded()
    {
        var photos = Directory.GetFiles(Material.Path("faces"));
        Assert.Equal(29, photos.Length);
        var refused = await server.Api.Embedding.StreamEmbed().ExchangeAsync(photos.Select(File));
        Assert.All(refused, answer => Assert.Equal(Reason, answer.Error?.Reason));
        var crops = await server.Api.Embedding.StreamEmbed().ExchangeAsync(Directory.GetFiles(Material.Path("crops")).Select(File));
        Assert.Equal(29, crops.Count);
        Assert.All(crops, answer => Assert.NotNull(answer.Embedding));

        static StreamEmbedRequest File(string path) =>
            Items.EmbedFace(path, new() { Image = TestImages.Encoded(System.IO.File.ReadAllBytes(path)) });
    }

    private async Task<Embedding> EmbedAsync(FaceCrop face) =>
        (await server.Api.Embedding.EmbedFaceAsync(new() { Face = face }).Bound()).Embedding;
}
