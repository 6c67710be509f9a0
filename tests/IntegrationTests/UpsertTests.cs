using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.V1;
using Grpc.Core;

namespace Embeddings.IntegrationTests;

/// <summary>UpsertVectors and StreamUpsertVectors: valid and invalid vectors of clients.</summary>
[Collection(SharedServer.Name)]
public sealed class UpsertTests(ServerFixture server)
{
    private readonly string _collection = ServerFixture.NewCollection();

    private VectorStoreService.VectorStoreServiceClient Vectors => server.Api.Vectors;

    [Fact]
    public async Task Points_are_stored_unchanged()
    {
        var payload = new Payload { JobId = "j", MediaStoreId = "m", FaceIndex = 0, Confidence = 0 };
        var request = new UpsertVectorsRequest { Collection = _collection, Points = { Items.Point("a", [3, 4], payload), Items.Point("b", [-1e-20f, 1e20f]) } };
        var response = await Vectors.UpsertVectorsAsync(request).Bound();
        Assert.Equal(2, response.UpsertedCount);
        Assert.True(response.Timings.StoreUs > 0);
        var point = (await Vectors.GetVectorAsync(new() { Collection = _collection, PointId = "a" }).Bound()).Point;
        Assert.NotNull(point.StoredAt);
        point.StoredAt = null;
        Assert.Equal(request.Points[0], point);
    }

    [Theory]
    [InlineData(float.NaN, "VECTOR_NOT_FINITE")]
    [InlineData(float.PositiveInfinity, "VECTOR_NOT_FINITE")]
    [InlineData(0f, "VECTOR_ZERO")]
    public async Task A_vector_without_a_direction_rejects_the_whole_request(float value, string reason)
    {
        var request = new UpsertVectorsRequest { Collection = _collection, Points = { Items.Point("good", [1, 2]), Items.Point("bad", [0, value]) } };
        await Vectors.UpsertVectorsAsync(request).FailsAsync(StatusCode.InvalidArgument, reason, "points[1].vector");
        await Vectors.CountVectorsAsync(new() { Collection = _collection }).FailsAsync(StatusCode.NotFound, "COLLECTION_NOT_FOUND");
    }

    [Fact]
    public async Task A_vector_of_another_dimension_is_rejected()
    {
        await Vectors.UpsertVectorsAsync(new() { Collection = _collection, Points = { Items.Point("a", [1, 2]) } }).Bound();
        await Vectors.UpsertVectorsAsync(new() { Collection = _collection, Points = { Items.Point("b", [1, 2, 3]) } })
            .FailsAsync(StatusCode.InvalidArgument, "DIMENSION_MISMATCH", "points[0].vector");
        await Vectors.UpsertVectorsAsync(new() { Collection = _collection, Points = { Items.Point("b", [1, 2]), Items.Point("c", [1]) } })
            .FailsAsync(StatusCode.InvalidArgument, "DIMENSION_MISMATCH", "points[1].vector");
        await Vectors.UpsertVectorsAsync(new() { Collection = _collection, Points = { Items.Point("b", [1, 2]) }, Model = Items.FaceModel })
            .FailsAsync(StatusCode.InvalidArgument, "DIMENSION_MISMATCH", "points[0].vector");
        Assert.Equal(1, (await Vectors.CountVectorsAsync(new() { Collection = _collection }).Bound()).Count);
    }

    [Fact]
    public async Task Invalid_requests_are_rejected_with_reason_and_field()
    {
        await Vectors.UpsertVectorsAsync(new() { Collection = _collection }).FailsAsync(StatusCode.InvalidArgument, "FIELD_REQUIRED", "points");
        await Vectors.UpsertVectorsAsync(new() { Points = { Items.Point("a", [1]) } }).FailsAsync(StatusCode.InvalidArgument, "FIELD_REQUIRED", "collection");
        await Vectors.UpsertVectorsAsync(new() { Collection = _collection, Points = { Items.Point("", [1]) } })
            .FailsAsync(StatusCode.InvalidArgument, "FIELD_REQUIRED", "points[0].point_id");
        await Vectors.UpsertVectorsAsync(new() { Collection = _collection, Points = { Items.Point("a", []) } })
            .FailsAsync(StatusCode.InvalidArgument, "FIELD_REQUIRED", "points[0].vector");
        await Vectors.UpsertVectorsAsync(new() { Collection = _collection, Points = { Items.Point("a", [1]) }, Model = "none" })
            .FailsAsync(StatusCode.NotFound, "MODEL_NOT_FOUND");
        var many = new UpsertVectorsRequest { Collection = _collection, Points = { Enumerable.Range(0, 10_001).Select(i => Items.Point($"{i}", [1])) } };
        await Vectors.UpsertVectorsAsync(many).FailsAsync(StatusCode.InvalidArgument, "FIELD_TOO_LONG", "points");
    }

    [Fact]
    public async Task A_stream_acks_in_order_and_invalid_items_fail_alone()
    {
        var requests = Enumerable.Range(0, 300).Select(i => i switch
        {
            50 => Items.Upsert(_collection, "50", [0, 0, 0]),
            100 => Items.Upsert(_collection, "100", [1, float.NaN, 0]),
            150 => Items.Upsert(_collection, "150", [1, 2]),
            200 => new() { ItemId = "item-200", Collection = _collection },
            _ => Items.Upsert(_collection, $"{i}", Items.Vector(i, 3)),
        });
        var answers = await Vectors.StreamUpsertVectors().ExchangeAsync(requests);
        Assert.Equal(Enumerable.Range(0, 300).Select(i => $"item-{i}"), answers.Select(answer => answer.ItemId));
        var errors = answers.Where(answer => answer.Error is not null).Select(answer => (answer.ItemId, answer.Error.Reason, answer.Error.Field));
        Assert.Equal(
            [
                ("item-50", "VECTOR_ZERO", "point.vector"),
                ("item-100", "VECTOR_NOT_FINITE", "point.vector"),
                ("item-150", "DIMENSION_MISMATCH", "point.vector"),
                ("item-200", "FIELD_REQUIRED", "point"),
            ],
            errors);
        Assert.All(answers.Where(answer => answer.Ack is not null), answer => Assert.True(answer.Timings.StoreUs > 0));
        Assert.Equal(296, (await Vectors.CountVectorsAsync(new() { Collection = _collection }).Bound()).Count);
    }

    [Fact]
    public async Task The_last_of_duplicate_ids_in_one_stream_is_stored()
    {
        var answers = await Vectors.StreamUpsertVectors().ExchangeAsync(Enumerable.Range(1, 200).Select(i => Items.Upsert(_collection, "same", [i, 1])));
        Assert.Equal(200, answers.Count(answer => answer.Ack is not null));
        Assert.Equal(1, (await Vectors.CountVectorsAsync(new() { Collection = _collection }).Bound()).Count);
        var point = (await Vectors.GetVectorAsync(new() { Collection = _collection, PointId = "same" }).Bound()).Point;
        Assert.Equal([200f, 1f], point.Vector);
    }

    [Fact]
    public async Task An_empty_stream_ends_with_OK_and_no_responses() => Assert.Empty(await Vectors.StreamUpsertVectors().ExchangeAsync([]));
}
