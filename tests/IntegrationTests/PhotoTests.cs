using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.Testing;
using Embeddings.V1;
using Google.Protobuf;
using Grpc.Core;

namespace Embeddings.IntegrationTests;

/// <summary>Photos to faces and people, over the wire, with the default models.</summary>
public sealed class PhotoTests(ITestOutputHelper output)
{
    private const string Faces = "faces";
    private const string Real = "real Qdrant";

    public static TheoryData<string> Stores => ["embedded", Real];

    [TrainedModelsFact(NeedsMaterial = true)]
    public async Task The_face_of_every_photo_is_found_and_its_vector_is_that_of_the_known_landmarks()
    {
        await using var server = await TestServer.StartPlainAsync();
        var (overlaps, cosines) = (new List<double>(), new List<double>());
        foreach (var photo in RealPhotos.Read())
        {
            var found = await server.Api.Faces.EmbedFacesAsync(new() { Photo = photo.Image, ReturnCrops = true }).Bound();
            var face = found.Faces.MaxBy(face => photo.Overlap(face.Face.Bbox));
            Assert.True(face is not null, photo.JobId);
            overlaps.Add(photo.Overlap(face.Face.Bbox));
            var known = await server.Api.Embedding.EmbedFaceAsync(
                new() { Face = new() { Image = photo.Image, Landmarks = photo.Landmarks } }).Bound();
            cosines.Add(Dot(face.Embedding.Values, known.Embedding.Values));

            // The same landmarks give the same vector, and the crop is what the model was given.
            var again = await server.Api.Embedding.EmbedFaceAsync(
                new() { Face = new() { Image = photo.Image, Landmarks = face.Face.Landmarks } }).Bound();
            Assert.Equal(again.Embedding.Values, face.Embedding.Values);
            var crop = await server.Api.Embedding.EmbedFaceAsync(
                new() { Face = new() { Image = new() { Encoded = face.CropPng } } }).Bound();
            Assert.Equal(again.Embedding.Values, crop.Embedding.Values);
        }
        output.WriteLine($"overlap {RealPhotos.Text(overlaps.Min())} to {RealPhotos.Text(overlaps.Max())}");
        output.WriteLine($"cosine {RealPhotos.Text(cosines.Min())} to {RealPhotos.Text(cosines.Max())}");
        Assert.Equal(29, overlaps.Count(overlap => overlap >= 0.6));
        Assert.InRange(cosines.Min(), 0.93, 1);
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task Photos_become_people(string store)
    {
        await using var started = await StartAsync(store);
        var api = started.Server.Api;
        var photos = RealPhotos.Read();
        var answers = await api.Ingest.StreamIngest().ExchangeAsync(photos.Select(photo => RealPhotos.Ingest(photo, Faces)));
        Assert.All(answers, answer => Assert.True(answer.Error is null, $"{answer.Error}"));
        Assert.Equal(photos.Select(photo => photo.JobId), answers.Select(answer => answer.ItemId));
        var stored = answers.SelectMany(answer => answer.PhotoAck.Faces, (answer, face) => (answer.ItemId, face.PointId)).ToList();
        output.WriteLine($"{stored.Count} faces in {photos.Count} photos");
        Assert.Equal(photos.Count, stored.Count);
        Assert.Equal(stored.Count, (await api.Vectors.CountVectorsAsync(new() { Collection = Faces }).Bound()).Count);

        var groups = new Dictionary<string, string>();
        ClusterSummary? summary = null;
        using (var call = api.Persons.ClusterFaces(new() { Collection = Faces }))
        {
            await foreach (var message in call.ResponseStream.ReadAllAsync())
            {
                summary = message.Summary ?? summary;
                foreach (var face in message.Person?.Faces ?? [])
                {
                    groups.Add(face.PointId, $"{message.Person!.Index}");
                }
            }
        }
        var people = photos.ToDictionary(photo => photo.JobId, photo => photo.Person);
        var (precision, recall) = RealPhotos.Pairs(
            [.. stored.Select(face => (people[face.ItemId], groups.GetValueOrDefault(face.PointId)))]);
        output.WriteLine($"precision {RealPhotos.Text(precision)}, recall {RealPhotos.Text(recall)}, {summary}");
        Assert.NotNull(summary);
        Assert.Equal(1, precision);
        Assert.InRange(recall, 0.95, 1);
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task A_named_person_is_identified_and_a_stranger_is_unknown(string store)
    {
        await using var started = await StartAsync(store);
        var api = started.Server.Api;
        var photos = RealPhotos.Read().Where(photo => photo.Person is "obama" or "biden" or "Family1-Mom").ToList();
        var known = photos.Where(photo => photo.Person is not "Family1-Mom").DistinctBy(photo => photo.Person).ToList();
        foreach (var photo in known)
        {
            var ack = await IngestAsync(api, photo);
            await api.Persons.NamePersonAsync(
                new() { Collection = Faces, Person = photo.Person, PointIds = { ack.Faces[0].PointId } }).Bound();
        }
        foreach (var photo in photos.Except(known))
        {
            var found = await api.Faces.IdentifyFacesAsync(new() { Photo = photo.Image, Collection = Faces }).Bound();
            var face = found.Faces.MaxBy(face => photo.Overlap(face.Face.Bbox))!;
            Assert.Equal(photo.Person == "Family1-Mom" ? "" : photo.Person, face.Person);
            Assert.Equal(2, face.Persons.Count);
            Assert.True(face.Persons[0].Similarity > face.Persons[1].Similarity);
        }
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task A_photo_that_is_sent_again_replaces_its_faces_and_keeps_their_names(string store)
    {
        await using var started = await StartAsync(store);
        var api = started.Server.Api;
        var photos = RealPhotos.Read();
        var photo = photos.First(photo => photo.Person == "obama");
        var first = await IngestAsync(api, photo);
        var face = Assert.Single(first.Faces);
        Assert.Equal($"{photo.JobId}-0", face.PointId);
        await api.Persons.NamePersonAsync(new() { Collection = Faces, Person = "Barack", PointIds = { face.PointId } }).Bound();

        var again = await IngestAsync(api, photo, new Google.Protobuf.WellKnownTypes.Struct
        {
            Fields = { ["frame_time"] = Google.Protobuf.WellKnownTypes.Value.ForNumber(1.5) },
        });
        Assert.Equal(0, again.RemovedCount);
        var point = (await api.Vectors.GetVectorAsync(new() { Collection = Faces, PointId = face.PointId }).Bound()).Point;
        Assert.Equal("Barack", point.Payload.Attributes.Fields["person"].StringValue);
        Assert.Equal(1.5, point.Payload.Attributes.Fields["frame_time"].NumberValue);
        Assert.InRange(point.Payload.Attributes.Fields["face_quality"].NumberValue, 0.01, 1);
        Assert.Equal(face.Face.Bbox, point.Payload.Bbox);
        Assert.Equal(face.Face.Landmarks, point.Payload.Landmarks);

        // The same job without a face.
        var empty = photo with { Image = TestImages.Photo(1) };
        var removed = await IngestAsync(api, empty);
        Assert.Empty(removed.Faces);
        Assert.Equal(1, removed.RemovedCount);
        Assert.Equal(0, (await api.Vectors.CountVectorsAsync(new() { Collection = Faces }).Bound()).Count);
    }

    [TrainedModelsFact(NeedsMaterial = true)]
    public async Task The_vector_of_the_whole_image_is_stored_if_it_is_wanted()
    {
        await using var server = await TestServer.StartPlainAsync();
        var photo = RealPhotos.Read()[0];
        var request = new IngestPhotoRequest
        {
            Item = new() { JobId = "j", MediaStoreId = "m", Photo = photo.Image, WithImage = true },
            ReturnEmbedding = true,
        };
        var ack = (await server.Api.Ingest.IngestPhotoAsync(request).Bound()).Ack;
        Assert.Equal(("j", "image_embeddings"), (ack.Image.PointId, ack.Image.Collection));
        var image = await server.Api.Embedding.EmbedImageAsync(new() { Image = photo.Image }).Bound();
        Assert.Equal(image.Embedding.Values, ack.Image.Embedding.Values);
        var point = (await server.Api.Vectors.GetVectorAsync(new() { Collection = "image_embeddings", PointId = "j" }).Bound()).Point;
        Assert.Equal(image.Embedding.Values, point.Vector);
        Assert.Equal("j-0", Assert.Single(ack.Faces).PointId);
        Assert.NotNull(ack.Faces[0].Embedding);
    }

    [TrainedModelsFact(NeedsMaterial = true)]
    public async Task Two_photos_are_compared_face_by_face()
    {
        await using var server = await TestServer.StartPlainAsync();
        var photos = RealPhotos.Read();
        var obama = photos.Where(photo => photo.Person == "obama").Take(2).ToList();
        var same = await server.Api.Faces.CompareFacesAsync(new() { First = obama[0].Image, Second = obama[1].Image }).Bound();
        Assert.Equal(same.FirstFaces.Count * same.SecondFaces.Count, same.Pairs.Count);
        Assert.True(same.Pairs[0].SamePerson);
        Assert.InRange(same.Pairs[0].Similarity, same.Threshold, 1);
        var other = photos.First(photo => photo.Person == "biden");
        var different = await server.Api.Faces.CompareFacesAsync(new() { First = obama[0].Image, Second = other.Image }).Bound();
        Assert.All(different.Pairs, pair => Assert.False(pair.SamePerson));
        var strict = new CompareFacesRequest { First = obama[0].Image, Second = obama[1].Image, Threshold = 1 };
        Assert.All((await server.Api.Faces.CompareFacesAsync(strict).Bound()).Pairs, pair => Assert.False(pair.SamePerson));
    }

    [TrainedModelsFact(NeedsMaterial = true)]
    public async Task Faces_are_left_out_with_a_reason()
    {
        await using var server = await TestServer.StartPlainAsync();
        var photo = RealPhotos.Read().First(photo => photo.JobId == "obama__obama");
        Assert.Equal(LeftOutReason.TooSmall, await ReasonAsync(new() { MinFaceSize = 1000 }));
        Assert.Equal(LeftOutReason.LowConfidence, await ReasonAsync(new() { MinConfidence = 1 }));
        Assert.Equal(LeftOutReason.LowQuality, await ReasonAsync(new() { MinQuality = 1 }));

        async Task<LeftOutReason> ReasonAsync(FaceOptions options)
        {
            var found = await server.Api.Faces.DetectFacesAsync(new() { Photo = photo.Image, Options = options }).Bound();
            Assert.Empty(found.Faces);
            var left = found.LeftOut.MaxBy(left => photo.Overlap(left.Bbox))!;
            Assert.NotEqual("", left.Message);
            return left.Reason;
        }
    }

    [TrainedModelsFact]
    public async Task Invalid_photos_and_options_are_errors_that_name_the_field()
    {
        await using var server = await TestServer.StartPlainAsync();
        var faces = server.Api.Faces;
        var photo = TestImages.Photo(1);
        await faces.DetectFacesAsync(new()).FailsAsync(StatusCode.InvalidArgument, "FIELD_REQUIRED", "photo");
        await faces.DetectFacesAsync(new() { Photo = new() }).FailsAsync(StatusCode.InvalidArgument, "FIELD_REQUIRED", "photo");
        await faces.DetectFacesAsync(new() { Photo = new() { Encoded = ByteString.CopyFromUtf8("nothing") } })
            .FailsAsync(StatusCode.InvalidArgument, "IMAGE_FORMAT_UNKNOWN", "photo.encoded");
        var jpeg = TestImages.Jpeg(1);
        await faces.EmbedFacesAsync(new() { Photo = TestImages.Encoded(jpeg[..(jpeg.Length / 2)]) })
            .FailsAsync(StatusCode.InvalidArgument, "IMAGE_MALFORMED", "photo.encoded");
        await faces.DetectFacesAsync(new() { Photo = TestImages.FloatCrop(0.5f).Image })
            .FailsAsync(StatusCode.InvalidArgument, "PIXEL_FORMAT_INVALID", "photo.pixels.format");
        foreach (var (field, options) in ((string, FaceOptions)[])
            [
                ("max_faces", new() { MaxFaces = 1001 }),
                ("max_faces", new() { MaxFaces = -1 }),
                ("min_face_size", new() { MinFaceSize = 9 }),
                ("min_confidence", new() { MinConfidence = 1.5f }),
                ("min_confidence", new() { MinConfidence = float.NaN }),
                ("min_quality", new() { MinQuality = -0.1f }),
            ])
        {
            await faces.DetectFacesAsync(new() { Photo = photo, Options = options })
                .FailsAsync(StatusCode.InvalidArgument, "FIELD_INVALID", $"options.{field}");
        }
        await faces.DetectFacesAsync(new() { Photo = photo, Options = new() { Detector = "none" } })
            .FailsAsync(StatusCode.NotFound, "MODEL_NOT_FOUND");
        await faces.DetectFacesAsync(new() { Photo = photo, Options = new() { Detector = "mobilefacenet" } })
            .FailsAsync(StatusCode.InvalidArgument, "MODEL_KIND_MISMATCH");
        await faces.EmbedFacesAsync(new() { Photo = photo, Model = "resnet18" })
            .FailsAsync(StatusCode.InvalidArgument, "MODEL_KIND_MISMATCH");
        await faces.IdentifyFacesAsync(new() { Photo = photo, Collection = "none" })
            .FailsAsync(StatusCode.NotFound, "COLLECTION_NOT_FOUND");
        await faces.CompareFacesAsync(new() { First = photo }).FailsAsync(StatusCode.InvalidArgument, "FIELD_REQUIRED", "second");
        await server.Api.Ingest.IngestPhotoAsync(new() { Item = new() { Photo = photo } })
            .FailsAsync(StatusCode.InvalidArgument, "FIELD_REQUIRED", "item.job_id");
        await server.Api.Ingest.IngestPhotoAsync(new() { Item = new() { JobId = "j", Photo = new() } })
            .FailsAsync(StatusCode.InvalidArgument, "FIELD_REQUIRED", "item.photo");
    }

    [TrainedModelsFact]
    public async Task Photos_of_any_size_are_answered()
    {
        await using var server = await TestServer.StartPlainAsync();
        foreach (var (width, height) in ((int, int)[])[(1, 1), (1, 3000), (3000, 1), (17, 5), (320, 240), (5000, 60)])
        {
            var photo = TestImages.Pixels(PixelFormat.Rgb8, width, height, TestImages.Busy(width, height));
            var found = await server.Api.Faces.DetectFacesAsync(new() { Photo = photo }).Bound();
            Assert.Equal((width, height), (found.Photo.Width, found.Photo.Height));
            Assert.Equal((1, 0), (found.Photo.ExifOrientation, found.Photo.Rotation));
        }
    }

    [Fact]
    public async Task A_server_without_a_detector_says_so()
    {
        await using var server = await TestServer.StartAsync();
        await server.Api.Faces.DetectFacesAsync(new() { Photo = TestImages.Photo(1) })
            .FailsAsync(StatusCode.NotFound, "MODEL_NOT_FOUND");
    }

    [TrainedModelsFact(NeedsMaterial = true)]
    public async Task A_failed_photo_of_a_stream_is_its_own_error_only()
    {
        await using var server = await TestServer.StartPlainAsync();
        var photo = RealPhotos.Read()[0];
        var broken = new StreamIngestRequest { ItemId = "broken", Photo = new() { JobId = "b", Photo = TestImages.Encoded([0xFF, 0xD8, 0xFF, 1]) } };
        var answers = await server.Api.Ingest.StreamIngest().ExchangeAsync(
            [RealPhotos.Ingest(photo, Faces), broken, RealPhotos.Ingest(photo, Faces)]);
        Assert.Equal(["", "IMAGE_MALFORMED", ""], answers.Select(answer => answer.Error?.Reason ?? ""));
        Assert.Equal("photo.photo.encoded", answers[1].Error.Field);
    }

    private static async Task<PhotoAck> IngestAsync(Api api, RealPhoto photo, Google.Protobuf.WellKnownTypes.Struct? attributes = null)
    {
        var item = new PhotoItem { JobId = photo.JobId, MediaStoreId = photo.JobId, Photo = photo.Image, Attributes = attributes };
        return (await api.Ingest.IngestPhotoAsync(new() { Item = item, Collection = Faces }).Bound()).Ack;
    }

    private static async Task<(TestServer Server, IAsyncDisposable? Qdrant)> StartPlainAsync(string store)
    {
        if (store != Real)
        {
            return (await TestServer.StartPlainAsync(), null);
        }
        var node = await QdrantNode.StartAsync();
        return (await TestServer.StartPlainAsync("--Store:Kind=Qdrant", $"--Store:Qdrant:Url={node.Address}"), node);
    }

    private static async Task<StartedStore> StartAsync(string store)
    {
        Assert.SkipWhen(TrainedModels.Missing is not null, TrainedModels.Missing ?? "");
        Assert.SkipWhen(Material.Missing is not null, Material.Missing ?? "");
        Assert.SkipWhen(store == Real && Tool.Missing("QDRANT_BINARY") is not null, Tool.Missing("QDRANT_BINARY") ?? "");
        var (server, qdrant) = await StartPlainAsync(store);
        return new(server, qdrant);
    }

    // The vectors have length 1.
    private static double Dot(IEnumerable<float> left, IEnumerable<float> right) => left.Zip(right, (a, b) => (double)a * b).Sum();
}
