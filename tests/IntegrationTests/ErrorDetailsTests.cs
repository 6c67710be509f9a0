using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.Testing;
using Embeddings.V1;
using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Grpc.Core;

namespace Embeddings.IntegrationTests;

/// <summary>The details of errors: values that programs can read, resources, preconditions, and the page that explains them.</summary>
[Collection(SharedServer.Name)]
public sealed class ErrorDetailsTests(ServerFixture server)
{
    private const int MaxTrailerBytes = 8 << 10;
    private readonly string _collection = ServerFixture.NewCollection();

    private VectorStoreService.VectorStoreServiceClient Vectors => server.Api.Vectors;

    [Fact]
    public async Task A_limit_and_the_actual_value_are_in_the_metadata()
    {
        var error = await Vectors.SearchVectorsAsync(new() { Collection = _collection, Queries = { Query(1, 2) }, Limit = 5000 })
            .FailsAsync(StatusCode.InvalidArgument, "FIELD_INVALID", "limit");
        AssertMetadata(error, ("collection", _collection), ("field", "limit"), ("limit", "1000"), ("actual", "5000"));

        error = await Vectors.UpsertVectorsAsync(new() { Collection = _collection, Points = { Items.Point(new string('x', 2000), [1]) } })
            .FailsAsync(StatusCode.InvalidArgument, "FIELD_TOO_LONG");
        AssertMetadata(error, ("collection", _collection), ("field", "points[0].point_id"), ("limit", "1024"), ("actual", "2000"));
    }

    [Fact]
    public async Task A_missing_collection_point_or_model_is_a_resource()
    {
        var error = await Vectors.GetVectorAsync(new() { Collection = _collection, PointId = "p" })
            .FailsAsync(StatusCode.NotFound, "COLLECTION_NOT_FOUND");
        AssertResource(error, "collection", _collection);

        await Vectors.UpsertVectorsAsync(new() { Collection = _collection, Points = { Items.Point("a", [1]) } }).Bound();
        error = await Vectors.GetVectorAsync(new() { Collection = _collection, PointId = "p" })
            .FailsAsync(StatusCode.NotFound, "POINT_NOT_FOUND");
        AssertResource(error, "point", "p");
        AssertMetadata(error, ("collection", _collection), ("point", "p"), ("field", "point_id"));

        error = await server.Api.Embedding.EmbedImageAsync(new() { Model = "none", Image = new() { Encoded = Google.Protobuf.ByteString.CopyFromUtf8("x") } })
            .FailsAsync(StatusCode.NotFound, "MODEL_NOT_FOUND");
        AssertResource(error, "model", "none");
    }

    [Fact]
    public async Task A_mismatch_is_a_violated_precondition_with_both_values()
    {
        await Vectors.UpsertVectorsAsync(new() { Collection = _collection, Points = { Items.Point("a", [1, 2, 3]) } }).Bound();
        var error = await Vectors.SearchVectorsAsync(new() { Collection = _collection, Queries = { Query(1, 2) } })
            .FailsAsync(StatusCode.InvalidArgument, "DIMENSION_MISMATCH", "queries[0].vector.values");
        AssertPrecondition(error, "DIMENSION_MISMATCH");
        AssertMetadata(error, ("collection", _collection), ("expected", "3"), ("actual", "2"));

        error = await server.Api.Ingest.IngestImageAsync(new()
        {
            Collection = _collection,
            Item = Items.IngestImage(_collection, "j", TestImages.Photo(1)).Image,
        }).FailsAsync(StatusCode.FailedPrecondition, "COLLECTION_MODEL_MISMATCH");
        AssertPrecondition(error, "COLLECTION_MODEL_MISMATCH");
        AssertMetadata(error, ("collection", _collection), ("expected", "3"));
    }

    [Fact]
    public async Task Every_error_names_the_page_that_explains_it()
    {
        var error = await Vectors.CountVectorsAsync(new() { Collection = _collection }).FailsAsync(StatusCode.NotFound, "COLLECTION_NOT_FOUND");
        var link = Assert.Single(error.Detail<Help>()!.Links);
        Assert.Contains("COLLECTION_NOT_FOUND", link.Description);
        Assert.Contains("`COLLECTION_NOT_FOUND`", await File.ReadAllTextAsync(Path.Combine(Repository.Root, link.Url)));
    }

    [Fact]
    public async Task The_error_of_an_item_has_the_same_metadata()
    {
        await Vectors.UpsertVectorsAsync(new() { Collection = _collection, Points = { Items.Point("a", [1, 2, 3]) } }).Bound();
        var answers = await Vectors.StreamUpsertVectors().ExchangeAsync([Items.Upsert(_collection, "b", [1, 2])]);
        var error = Assert.Single(answers).Error;
        Assert.Equal("DIMENSION_MISMATCH", error.Reason);
        Assert.Equal(_collection, error.Metadata["collection"]);
        Assert.Equal("3", error.Metadata["expected"]);
        Assert.Equal("2", error.Metadata["actual"]);
        Assert.Equal("point.vector", error.Metadata["field"]);
    }

    [Theory]
    [InlineData('x')]
    [InlineData('\u20ac')]
    public async Task Trailers_stay_below_8_KiB(char letter)
    {
        await Vectors.UpsertVectorsAsync(new() { Collection = _collection, Points = { Items.Point("a", [1]) } }).Bound();
        var id = new string(letter, letter < 128 ? 1024 : 341);
        var error = await Vectors.GetVectorAsync(new() { Collection = _collection, PointId = id })
            .FailsAsync(StatusCode.NotFound, "POINT_NOT_FOUND");
        var details = error.Trailers.Get("grpc-status-details-bin")!.ValueBytes.Length * 4 / 3;
        Assert.InRange(details + Uri.EscapeDataString(error.Status.Detail).Length, 1000, MaxTrailerBytes - 512);
    }

    [Theory]
    [InlineData(33)]
    [InlineData(34)]
    [InlineData(60)]
    [InlineData(500)]
    public async Task Attributes_that_are_nested_too_deeply_are_refused_with_the_limit(int depth)
    {
        var attributes = Nested(depth);
        var point = Items.Point("a", [1], new() { Attributes = attributes });
        var upsert = await Vectors.UpsertVectorsAsync(new() { Collection = _collection, Points = { point } })
            .FailsAsync(StatusCode.InvalidArgument, "FIELD_INVALID");
        using var stream = Vectors.StreamUpsertVectors();
        await stream.RequestStream.WriteAsync(new() { Collection = _collection, Point = point }).Bound();
        // A message that cannot be parsed ends the stream.
        var (message, limit) = (upsert.Status.Detail, Metadata(upsert)["limit"]);
        try
        {
            var error = Assert.Single(await stream.ResponseStream.TakeAsync(1)).Error;
            Assert.Equal("FIELD_INVALID", error.Reason);
            Assert.Equal((message, limit), (error.Message, error.Metadata["limit"]));
        }
        catch (RpcException error)
        {
            Assert.Equal(StatusCode.InvalidArgument, error.StatusCode);
            Assert.Equal("FIELD_INVALID", error.Reason());
            Assert.Equal((message, limit), (error.Status.Detail, Metadata(error)["limit"]));
        }
        Assert.Equal("attributes must be nested at most 32 levels deep; got 33 or more. Flatten them.", message);
        Assert.Equal("32", limit);
    }

    [Fact]
    public async Task Attributes_of_32_levels_are_stored()
    {
        var point = Items.Point("a", [1], new() { Attributes = Nested(32) });
        await Vectors.UpsertVectorsAsync(new() { Collection = _collection, Points = { point } }).Bound();
        var stored = await Vectors.GetVectorAsync(new() { Collection = _collection, PointId = "a" }).Bound();
        Assert.Equal(point.Payload.Attributes, stored.Point.Payload.Attributes);
    }

    [Theory]
    [InlineData(1, 64 << 10)]
    [InlineData(400, 160)]
    public async Task Metadata_of_64_KiB_is_refused_with_the_limit(int entries, int bytes)
    {
        var metadata = new Metadata();
        for (var i = 0; i < entries; i++)
        {
            metadata.Add($"key-{i}", new string('x', bytes));
        }
        var error = await Vectors.ListCollectionsAsync(new(), metadata).FailsAsync(StatusCode.ResourceExhausted, "METADATA_TOO_LARGE");
        Assert.Equal("32768", Metadata(error)["limit"]);
        Assert.InRange(int.Parse(Metadata(error)["actual"]), entries * bytes, (entries * (bytes + 64)) + 1000);
        await Vectors.ListCollectionsAsync(new(), new Metadata { { "key", new string('x', 30_000) } }).Bound();
    }

    private static Struct Nested(int depth)
    {
        var inner = new Struct { Fields = { ["k"] = Value.ForNumber(1) } };
        for (var level = 1; level < depth; level++)
        {
            inner = new() { Fields = { ["k"] = Value.ForStruct(inner) } };
        }
        return inner;
    }

    private static SearchQuery Query(params float[] values) => new() { Vector = new() { Values = { values } } };

    private static IDictionary<string, string> Metadata(RpcException error) => error.Detail<ErrorInfo>()!.Metadata;

    private static void AssertMetadata(RpcException error, params (string Key, string Value)[] expected) =>
        Assert.All(expected, entry => Assert.Equal(entry.Value, Metadata(error)[entry.Key]));

    private static void AssertResource(RpcException error, string type, string name)
    {
        var resource = error.Detail<ResourceInfo>()!;
        Assert.Equal((type, name), (resource.ResourceType, resource.ResourceName));
    }

    private void AssertPrecondition(RpcException error, string type)
    {
        var violation = Assert.Single(error.Detail<PreconditionFailure>()!.Violations);
        Assert.Equal((type, $"collections/{_collection}"), (violation.Type, violation.Subject));
        Assert.Equal(error.Status.Detail, violation.Description);
    }
}
