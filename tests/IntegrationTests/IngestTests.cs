using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.V1;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace Embeddings.IntegrationTests;

/// <summary>IngestImage and IngestFace: the stored point, its collection, and the ack.</summary>
[Collection(SharedServer.Name)]
public sealed class IngestTests(ServerFixture server)
{
    [Fact]
    public async Task An_image_is_stored_with_its_job_id_as_point_id()
    {
        var request = new IngestImageRequest
        {
            Item = new() { JobId = "job", MediaStoreId = "media", Image = TestImages.Photo(1), Attributes = Attributes() },
            Collection = ServerFixture.NewCollection(),
            ReturnEmbedding = true,
        };
        var response = await server.Api.Ingest.IngestImageAsync(request).Bound();
        Assert.Equal(("job", request.Collection), (response.Ack.PointId, response.Ack.Collection));
        Assert.True(response.Timings.StoreUs > 0 && response.Timings.InferenceUs > 0 && response.Timings.BatchSize > 0);

        var point = (await server.Api.Vectors.GetVectorAsync(new() { Collection = request.Collection, PointId = "job" }).Bound()).Point;
        Assert.Equal(response.Ack.Embedding.Values, point.Vector);
        Assert.Equal(("job", "media"), (point.Payload.JobId, point.Payload.MediaStoreId));
        Assert.Equal(Attributes(), point.Payload.Attributes);
        Assert.False(point.Payload.HasFaceIndex || point.Payload.HasConfidence);
        Assert.Null(point.Payload.Bbox);
    }

    [Fact]
    public async Task A_face_is_stored_with_job_id_and_face_index_as_point_id_and_its_whole_payload()
    {
        var face = TestImages.Crop(2);
        face.Landmarks = TestImages.Landmarks();
        var request = new IngestFaceRequest
        {
            Item = new()
            {
                JobId = "job-1",
                MediaStoreId = "media",
                FaceIndex = 3,
                Face = face,
                Bbox = new() { X = -1.5f, Y = 2, Width = 30, Height = 40.25f },
                Confidence = 0.875f,
                Attributes = Attributes(),
            },
            Collection = ServerFixture.NewCollection(),
        };
        var response = await server.Api.Ingest.IngestFaceAsync(request).Bound();
        Assert.Equal("job-1-3", response.Ack.PointId);
        Assert.Null(response.Ack.Embedding);

        var payload = (await server.Api.Vectors.GetVectorAsync(new() { Collection = request.Collection, PointId = "job-1-3" }).Bound()).Point.Payload;
        var expected = new Payload
        {
            JobId = "job-1",
            MediaStoreId = "media",
            FaceIndex = 3,
            Bbox = request.Item.Bbox,
            Confidence = 0.875f,
            Landmarks = face.Landmarks,
            Attributes = Attributes(),
        };
        Assert.Equal(expected, payload);
    }

    [Fact]
    public async Task Without_a_collection_the_default_collection_of_the_kind_is_used()
    {
        var image = await server.Api.Ingest.IngestImageAsync(new() { Item = new() { JobId = "own", Image = TestImages.Photo(3) } }).Bound();
        var face = await server.Api.Ingest.IngestFaceAsync(new() { Item = new() { JobId = "own", Face = TestImages.Crop(3) } }).Bound();
        Assert.Equal(("image_embeddings", "own"), (image.Ack.Collection, image.Ack.PointId));
        Assert.Equal(("face_embeddings", "own-0"), (face.Ack.Collection, face.Ack.PointId));
    }

    [Fact]
    public async Task Sending_an_item_again_replaces_its_point()
    {
        var collection = ServerFixture.NewCollection();
        for (var seed = 0; seed < 3; seed++)
        {
            var request = new IngestFaceRequest { Item = new() { JobId = "again", Face = TestImages.Crop(seed) }, Collection = collection, ReturnEmbedding = true };
            var ack = (await server.Api.Ingest.IngestFaceAsync(request).Bound()).Ack;
            var point = (await server.Api.Vectors.GetVectorAsync(new() { Collection = collection, PointId = ack.PointId }).Bound()).Point;
            Assert.Equal(ack.Embedding.Values, point.Vector);
        }
        Assert.Equal(1, (await server.Api.Vectors.CountVectorsAsync(new() { Collection = collection }).Bound()).Count);
    }

    [Fact]
    public async Task Missing_and_invalid_fields_are_rejected_by_name()
    {
        var ingest = server.Api.Ingest;
        await ingest.IngestImageAsync(new()).FailsAsync(StatusCode.InvalidArgument, "FIELD_REQUIRED", "item");
        await ingest.IngestFaceAsync(new()).FailsAsync(StatusCode.InvalidArgument, "FIELD_REQUIRED", "item");
        await ingest.IngestImageAsync(new() { Item = new() { Image = TestImages.Photo(1) } }).FailsAsync(StatusCode.InvalidArgument, "FIELD_REQUIRED", "item.job_id");
        await ingest.IngestImageAsync(new() { Item = new() { JobId = "j" } }).FailsAsync(StatusCode.InvalidArgument, "FIELD_REQUIRED", "item.image");
        await ingest.IngestFaceAsync(new() { Item = new() { JobId = "j" } }).FailsAsync(StatusCode.InvalidArgument, "FIELD_REQUIRED", "item.face");
        await ingest.IngestFaceAsync(new() { Item = new() { JobId = "j", Face = TestImages.Crop(1), FaceIndex = -1 } })
            .FailsAsync(StatusCode.InvalidArgument, "FIELD_INVALID", "item.face_index");
        await ingest.IngestFaceAsync(new() { Item = new() { JobId = "j", Face = TestImages.Crop(1), Confidence = 1.5f } })
            .FailsAsync(StatusCode.InvalidArgument, "FIELD_INVALID", "item.confidence");
        await ingest.IngestFaceAsync(new() { Item = new() { JobId = "j", Face = TestImages.Crop(1), Bbox = new() { Width = -1 } } })
            .FailsAsync(StatusCode.InvalidArgument, "FIELD_INVALID", "item.bbox");
        await ingest.IngestImageAsync(new() { Item = new() { JobId = new string('j', 513), Image = TestImages.Photo(1) } })
            .FailsAsync(StatusCode.InvalidArgument, "FIELD_TOO_LONG", "item.job_id");
        await ingest.IngestImageAsync(new() { Item = new() { JobId = "j", Image = TestImages.Photo(1) }, Collection = "no/slash" })
            .FailsAsync(StatusCode.InvalidArgument, "FIELD_INVALID", "collection");
    }

    private static Struct Attributes() => new()
    {
        Fields =
        {
            ["text"] = Value.ForString("köln \"quoted\" \u2028"),
            ["number"] = Value.ForNumber(-1.25e-7),
            ["large"] = Value.ForNumber(9007199254740993),
            ["flag"] = Value.ForBool(true),
            ["nothing"] = Value.ForNull(),
            ["list"] = Value.ForList(Value.ForNumber(1), Value.ForString("two"), Value.ForStruct(new() { Fields = { ["deep"] = Value.ForBool(false) } })),
            ["empty"] = Value.ForStruct(new()),
            [""] = Value.ForString(""),
        },
    };
}
