using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.V1;
using FsCheck;
using FsCheck.Fluent;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace Embeddings.IntegrationTests;

/// <summary>Random messages: each call succeeds or fails with an error of the contract, and the server continues.</summary>
[Collection(SharedServer.Name)]
public sealed class HostileTests(ServerFixture server)
{
    private static readonly StatusCode[] Typed =
        [StatusCode.InvalidArgument, StatusCode.NotFound, StatusCode.FailedPrecondition, StatusCode.ResourceExhausted];

    private static readonly Gen<int> Sizes = Gen.Elements(0, 1, 2, 8, 112, -1, 16_384, 16_385, int.MaxValue, int.MinValue);

    private static readonly Gen<float> Floats = Gen.Elements(
        0f, -0f, 1f, -1f, 40f, 70f, 111f, 0.5f, float.NaN, float.PositiveInfinity, float.NegativeInfinity, float.MaxValue, float.MinValue, float.Epsilon);

    private static readonly Gen<string> Texts = Gen.OneOf(
        Gen.Elements("", "a", "a\0b", "../../etc/passwd", "'; DROP TABLE points; --", "%00", "%", "_", "𝄞\u202e\ufeff", new string('x', 100_000), "image_embeddings", "store"),
        ArbMap.Default.GeneratorFor<string>().Select(text => text is null ? "" : Valid(text)));

    [Fact]
    public void Random_files() => Holds(
        Gen.OneOf(
            ArbMap.Default.GeneratorFor<byte[]>(),
            Gen.Choose(0, 3).SelectMany(_ => Damaged(TestImages.Jpeg(1, 40, 30))),
            Damaged(TestImages.Png(1, 40, 30))),
        bytes => server.Api.Embedding.EmbedImageAsync(new() { Image = TestImages.Encoded(bytes) }).Bound());

    [Fact]
    public void Random_pixels_and_landmarks() => Holds(
        from width in Sizes
        from height in Sizes
        from format in Gen.Choose(-1, 10)
        from length in Gen.Elements(0, 1, 3, 4, 12, 192, 112 * 112 * 3, 112 * 112 * 12, 112 * 112 * 3 / 2)
        from stride in Gen.Elements(0, 0, 112, 336, -1, int.MaxValue, int.MinValue)
        from matrix in Gen.Choose(-1, 3)
        from range in Gen.Choose(-1, 3)
        from points in Gen.ListOf(Floats, 10)
        from aligned in Gen.Elements(true, false)
        select new FaceCrop
        {
            Image = new()
            {
                Pixels = new()
                {
                    Format = (PixelFormat)format,
                    Width = width,
                    Height = height,
                    Data = ByteString.CopyFrom(new byte[length]),
                    RowStride = stride,
                    YuvMatrix = (YuvMatrix)matrix,
                    YuvRange = (YuvRange)range,
                },
            },
            Landmarks = aligned ? Landmarks([.. points]) : null,
        },
        face => server.Api.Embedding.EmbedFaceAsync(new() { Face = face }).Bound());

    [Fact]
    public void Random_landmarks_on_a_valid_image() => Holds(
        Gen.ListOf(Gen.OneOf(Floats, Gen.Choose(-300, 300).Select(value => (float)value)), 10).Select(points => Landmarks([.. points])),
        landmarks =>
        {
            var face = TestImages.Crop(1);
            face.Landmarks = landmarks;
            return server.Api.Ingest.IngestFaceAsync(new() { Item = new() { JobId = "hostile", Face = face }, Collection = "hostile-landmarks" }).Bound();
        });

    [Fact]
    public void Random_names_tokens_and_filters() => Holds(
        from collection in Gen.OneOf(Gen.Constant("hostile"), Texts)
        from text in Texts
        from token in Texts
        from size in Gen.Elements(0, 1, -1, 1000, int.MaxValue, int.MinValue)
        from number in Gen.Elements(0, 1, double.NaN, double.MaxValue, double.NegativeInfinity, 1e-320)
        from kind in Gen.Choose(0, 5)
        select (collection, text, token, size, Filter: Filter(text, number, kind)),
        async call =>
        {
            var vectors = server.Api.Vectors;
            await TypedAsync(() => vectors.UpsertVectorsAsync(new() { Collection = call.collection, Points = { Items.Point(call.text, [1, 2], new() { JobId = call.text }) } }).Bound());
            await TypedAsync(() => vectors.ListVectorsAsync(new() { Collection = call.collection, PageToken = call.token, PageSize = call.size, Filter = call.Filter }).Bound());
            await TypedAsync(() => vectors.CountVectorsAsync(new() { Collection = call.collection, Filter = call.Filter }).Bound());
            await TypedAsync(() => vectors.GetVectorAsync(new() { Collection = call.collection, PointId = call.text }).Bound());
            await TypedAsync(() => vectors.ListCollectionsAsync(new() { PageToken = call.token, PageSize = call.size }).Bound());
            await TypedAsync(() => server.Api.Models.ListModelsAsync(new() { PageToken = call.token, PageSize = call.size }).Bound());
            await TypedAsync(() => server.Api.Models.GetModelAsync(new() { Name = call.text }).Bound());
            var query = new SearchQuery { Vector = new() { Values = { 1, 2 } }, Model = call.text };
            await TypedAsync(() => vectors.SearchVectorsAsync(new() { Collection = call.collection, Queries = { query }, Filter = call.Filter, Limit = call.size }).Bound());
            await TypedAsync(() => vectors.DeleteVectorsAsync(new() { Collection = call.collection, Filter = call.Filter }).Bound());
            return await vectors.DeleteByJobIdAsync(new() { JobId = call.text, Collection = call.collection }).Bound();
        });

    [Fact]
    public void Random_vectors() => Holds(
        from values in Gen.ListOf(Floats)
        from other in Gen.ListOf(Floats)
        select (values, other),
        async vectors =>
        {
            var collection = $"hostile-{vectors.values.Count}";
            await TypedAsync(() => server.Api.Vectors.UpsertVectorsAsync(new() { Collection = collection, Points = { Items.Point("p", vectors.values) } }).Bound());
            var query = new SearchQuery { Vector = new() { Values = { vectors.other } } };
            return await server.Api.Vectors.SearchVectorsAsync(new() { Collection = collection, Queries = { query } }).Bound();
        });

    [Theory]
    [InlineData(31, StatusCode.OK)]
    [InlineData(32, StatusCode.InvalidArgument)]
    [InlineData(10_000, StatusCode.InvalidArgument)]
    public async Task Attributes_are_limited_in_depth(int depth, StatusCode expected)
    {
        // The innermost struct is empty and counts as a level. Encoded by hand: the generated code would need a stack of that depth.
        byte[] attributes = [];
        for (var level = 0; level < depth; level++)
        {
            // Struct { fields: { key: "a" value: Value { struct_value: ... } } }
            attributes = Field(1, [.. Field(1, "a"u8), .. Field(2, Field(5, attributes))]);
        }
        byte[] payload = [.. Field(1, "job"u8), .. Field(7, attributes)];
        byte[] vector = new byte[4];
        BitConverter.TryWriteBytes(vector, 1f);
        byte[] point = [.. Field(1, "p"u8), .. Field(2, vector), .. Field(3, payload)];
        byte[] request = [.. Field(1, "hostile-depth"u8), .. Field(2, point)];
        var (status, message) = await RawCall.PostAsync(server.Address, "embeddings.v1.VectorStoreService/UpsertVectors", RawCall.Frame(request));
        Assert.True($"{(int)expected}" == status, $"{status} {message}");
        await ServesAsync();
    }

    [Fact]
    public async Task Attributes_are_limited_in_size()
    {
        foreach (var value in (Value[])[Value.ForString(new string('x', 5_000_000)), Value.ForList([.. Enumerable.Repeat(Value.ForNumber(1), 100_000)])])
        {
            var payload = new Payload { Attributes = new() { Fields = { ["a"] = value } } };
            await server.Api.Vectors.UpsertVectorsAsync(new() { Collection = "hostile-long", Points = { Items.Point("p", [1], payload) } })
                .FailsAsync(StatusCode.InvalidArgument, "FIELD_TOO_LONG", "points[0].payload.attributes");
        }
        await ServesAsync();
    }

    private static byte[] Field(int number, ReadOnlySpan<byte> content)
    {
        using var stream = new MemoryStream();
        using (var output = new CodedOutputStream(stream, leaveOpen: true))
        {
            output.WriteTag(number, WireFormat.WireType.LengthDelimited);
            output.WriteLength(content.Length);
            output.Flush();
            stream.Write(content);
        }
        return stream.ToArray();
    }

    private static Gen<byte[]> Damaged(byte[] file) =>
        from at in Gen.ListOf(Gen.Choose(0, file.Length - 1))
        from to in Gen.Choose(0, 255)
        from length in Gen.Choose(0, file.Length)
        select Change(file[..length], at, (byte)to);

    private static byte[] Change(byte[] file, IEnumerable<int> at, byte to)
    {
        foreach (var place in at.Where(place => place < file.Length))
        {
            file[place] = to;
        }
        return file;
    }

    private static FaceLandmarks Landmarks(float[] at) => new()
    {
        LeftEye = new() { X = at[0], Y = at[1] },
        RightEye = new() { X = at[2], Y = at[3] },
        Nose = new() { X = at[4], Y = at[5] },
        LeftMouthCorner = new() { X = at[6], Y = at[7] },
        RightMouthCorner = new() { X = at[8], Y = at[9] },
    };

    private static Filter Filter(string text, double number, int kind) => kind switch
    {
        0 => new(),
        1 => new() { JobId = text, MediaStoreId = text },
        2 => new() { Attributes = { new AttributeCondition { Key = text, Text = text } } },
        3 => new() { Attributes = { new AttributeCondition { Key = text, Number = number } } },
        4 => new() { Confidence = new() { Gt = number, Lt = number }, FaceIndex = int.MinValue },
        _ => new() { Attributes = { new AttributeCondition { Key = text, Range = new() { Gte = number } }, new AttributeCondition() } },
    };

    // Half of a surrogate pair cannot be encoded.
    private static string Valid(string text) => System.Text.Encoding.UTF8.GetString(System.Text.Encoding.UTF8.GetBytes(text));

    private static async Task TypedAsync<T>(Func<Task<T>> call)
    {
        try
        {
            await call();
        }
        catch (RpcException e)
        {
            Assert.True(Typed.Contains(e.StatusCode) && e.Reason().Length > 0, $"{e.Status} {e.Reason()}");
        }
    }

    private void Holds<T, TResponse>(Gen<T> inputs, Func<T, Task<TResponse>> call)
    {
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(100), Prop.ForAll(inputs.ToArbitrary(), input =>
        {
            TypedAsync(() => call(input)).GetAwaiter().GetResult();
            return true;
        }));
        ServesAsync().GetAwaiter().GetResult();
    }

    private async Task ServesAsync() => Assert.NotNull((await server.Api.Embedding.EmbedFaceAsync(new() { Face = TestImages.Crop(1) }).Bound()).Embedding);
}
