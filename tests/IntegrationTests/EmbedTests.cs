using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.V1;
using Google.Protobuf;

namespace Embeddings.IntegrationTests;

/// <summary>EmbedImage and EmbedFace, and the same vectors from a stream.</summary>
[Collection(SharedServer.Name)]
public sealed class EmbedTests(ServerFixture server)
{
    [Fact]
    public async Task The_vector_of_an_image_has_the_dimension_of_the_model()
    {
        var response = await server.Api.Embedding.EmbedImageAsync(new() { Image = TestImages.Photo(1) }).Bound();
        Assert.Equal(Items.Dimension, response.Embedding.Values.Count);
        Assert.Equal(Items.ImageModel, response.Embedding.Model);
        Assert.All(response.Embedding.Values, value => Assert.True(float.IsFinite(value)));
        Assert.InRange(response.Timings.BatchSize, 1, 64);
        Assert.True(response.Timings.PreprocessUs > 0 && response.Timings.InferenceUs > 0);
        Assert.Equal(0, response.Timings.StoreUs);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_vector_of_a_face_has_norm_1(bool landmarks)
    {
        for (var seed = 0; seed < 20; seed++)
        {
            var face = TestImages.Crop(seed);
            face.Landmarks = landmarks ? TestImages.Landmarks() : null;
            var response = await server.Api.Embedding.EmbedFaceAsync(new() { Face = face }).Bound();
            Assert.True(response.Embedding.UnitLength);
            Assert.InRange(Items.Norm(response.Embedding), 1 - 1e-6, 1 + 1e-6);
        }
    }

    [Fact]
    public async Task A_unary_call_and_a_stream_give_the_same_vector()
    {
        const int Count = 24;
        var images = Enumerable.Range(0, Count).Select(TestImages.Photo).ToList();
        var faces = Enumerable.Range(0, Count).Select(TestImages.Crop).ToList();
        var requests = Enumerable.Range(0, 2 * Count).Select(i =>
            i % 2 == 0 ? Items.EmbedImage($"{i}", images[i / 2]) : Items.EmbedFace($"{i}", faces[i / 2]));
        var streamed = await server.Api.Embedding.StreamEmbed().ExchangeAsync(requests);
        for (var i = 0; i < Count; i++)
        {
            var image = await server.Api.Embedding.EmbedImageAsync(new() { Image = images[i] }).Bound();
            var face = await server.Api.Embedding.EmbedFaceAsync(new() { Face = faces[i] }).Bound();
            Assert.InRange(Items.Distance(image.Embedding.Values, streamed[2 * i].Embedding.Values), 0, 1e-6);
            Assert.InRange(Items.Distance(face.Embedding.Values, streamed[(2 * i) + 1].Embedding.Values), 0, 1e-6);
        }
    }

    [Fact]
    public async Task A_PNG_file_and_its_raw_pixels_give_the_same_vector()
    {
        var png = TestImages.Encoded(TestImages.Png(3));
        var rgb = TestImages.Draw(3, 320, 240);
        var raw = TestImages.Pixels(PixelFormat.Rgb8, 320, 240, rgb);
        var bgr = TestImages.Pixels(PixelFormat.Bgr8, 320, 240, [.. rgb.Chunk(3).SelectMany(pixel => pixel.Reverse())]);
        var expected = (await server.Api.Embedding.EmbedImageAsync(new() { Image = png }).Bound()).Embedding.Values;
        foreach (var image in (Image[])[raw, bgr])
        {
            var actual = (await server.Api.Embedding.EmbedImageAsync(new() { Image = image }).Bound()).Embedding.Values;
            Assert.InRange(Items.Distance(expected, actual), 0, 1e-5);
        }
    }

    [Fact]
    public async Task Gray_pixels_are_embedded_as_three_equal_channels()
    {
        var gray = TestImages.Draw(4, 112, 112).Where((_, i) => i % 3 == 0).ToArray();
        var rgb = gray.SelectMany(value => (byte[])[value, value, value]).ToArray();
        var one = await EmbedFaceAsync(TestImages.Pixels(PixelFormat.Gray8, 112, 112, gray));
        var three = await EmbedFaceAsync(TestImages.Pixels(PixelFormat.Rgb8, 112, 112, rgb));
        Assert.InRange(Items.Distance(one.Values, three.Values), 0, 1e-6);
    }

    [Fact]
    public async Task Float_pixels_are_not_normalized()
    {
        var rgb = TestImages.Draw(5, 112, 112);
        var floats = new byte[rgb.Length * sizeof(float)];
        for (var i = 0; i < rgb.Length; i++)
        {
            // Mean and standard deviation of the test model.
            BitConverter.TryWriteBytes(floats.AsSpan(i * sizeof(float)), (rgb[i] - 127.5f) / 127.5f);
        }
        var bytes = await EmbedFaceAsync(TestImages.Pixels(PixelFormat.Rgb8, 112, 112, rgb));
        var scaled = await EmbedFaceAsync(TestImages.Pixels(PixelFormat.RgbF32, 112, 112, floats));
        Assert.InRange(Items.Distance(bytes.Values, scaled.Values), 0, 1e-5);
    }

    [Fact]
    public async Task Landmarks_crop_the_face_from_a_larger_image()
    {
        // A crop that is pasted into an image at (40, 30) gives the same vector with landmarks moved by the same offset.
        const int Side = 200;
        var crop = TestImages.Draw(6, TestImages.CropSide, TestImages.CropSide);
        var picture = TestImages.Draw(7, Side, Side);
        for (var y = 0; y < TestImages.CropSide; y++)
        {
            crop.AsSpan(y * TestImages.CropSide * 3, TestImages.CropSide * 3).CopyTo(picture.AsSpan((((y + 30) * Side) + 40) * 3));
        }
        var request = new EmbedFaceRequest
        {
            Face = new() { Image = TestImages.Pixels(PixelFormat.Rgb8, Side, Side, picture), Landmarks = TestImages.Landmarks(1, 40, 30) },
        };
        var aligned = await server.Api.Embedding.EmbedFaceAsync(request).Bound();
        var direct = await EmbedFaceAsync(TestImages.Pixels(PixelFormat.Rgb8, TestImages.CropSide, TestImages.CropSide, crop));
        var cosine = aligned.Embedding.Values.Zip(direct.Values, (a, b) => a * b).Sum();
        Assert.InRange(cosine, 0.999, 1.001);

        request.Face.Landmarks = TestImages.Landmarks(1, 0, 0);
        var elsewhere = await server.Api.Embedding.EmbedFaceAsync(request).Bound();
        Assert.InRange(elsewhere.Embedding.Values.Zip(direct.Values, (a, b) => a * b).Sum(), -1, 0.99);
    }

    [Fact]
    public async Task A_hand_written_message_is_accepted()
    {
        var request = new EmbedFaceRequest { Face = TestImages.Crop(8) };
        var (status, message) = await RawCall.PostAsync(server.Address, "embeddings.v1.EmbeddingService/EmbedFace", RawCall.Frame(request.ToByteArray()));
        Assert.Equal(("0", ""), (status, message));
    }

    private async Task<Embedding> EmbedFaceAsync(Image image) =>
        (await server.Api.Embedding.EmbedFaceAsync(new() { Face = new() { Image = image } }).Bound()).Embedding;
}
