using System.Text.Json;
using Embeddings.V1;
using Grpc.Core;

namespace Embeddings.Cli.Tests.Photos;

/// <summary>ingest --kind photo, against a double of the server.</summary>
public sealed class PhotoIngestTests : IAsyncLifetime
{
    private readonly TempFolder _folder = new();
    private FacesDouble _server = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await FacesDouble.StartAsync();
        _server.Answer(request => Respond((StreamIngestRequest)request));
        foreach (var name in new[] { "1.jpg", "ada/2.jpg", "bob/deep/3.jpg", "empty/4.jpg", "bad.jpg" })
        {
            _folder.Write($"in/{name}", TestImages.Jpeg(1));
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task The_summary_counts_photos_faces_and_those_left_out_by_reason()
    {
        var failed = _folder.File("failed.jsonl");
        var result = await _server.RunAsync("ingest", _folder.File("in"), "--kind", "photo", "--failed", failed);
        Assert.Equal(ExitCode.SomeItemsFailed, result.ExitCode);
        Assert.Equal("6 faces stored, 4 left out (3 TOO_SMALL, 1 LOW_QUALITY), 1 photo without a face, 3 earlier faces removed", result.Lines[0]);
        Assert.StartsWith("4 photos stored, 0 skipped, 1 failed in ", result.Lines[1], StringComparison.Ordinal);
        Assert.EndsWith("collection face_embeddings", result.Lines[1], StringComparison.Ordinal);
        Assert.Equal("bad.jpg", JsonDocument.Parse(Assert.Single(File.ReadLines(failed))).RootElement.GetProperty("job_id").GetString());
    }

    [Fact]
    public async Task With_json_each_photo_is_an_object_with_its_faces()
    {
        var result = await _server.RunAsync("ingest", _folder.File("in"), "--kind", "photo", "--failed", _folder.File("f.jsonl"), "--json");
        var photo = result.Objects.Single(item => item.TryGetProperty("job_id", out var id) && id.GetString() == "ada/2.jpg");
        Assert.Equal(["ada/2.jpg-0", "ada/2.jpg-1", "0.875"], photo.Texts("faces.0.point_id", "faces.1.point_id", "faces.0.face.confidence"));
        Assert.Equal(["TOO_SMALL", "1", "640"], photo.Texts("left_out.0.reason", "removed_count", "photo.width"));
        var summary = result.Objects[^1].GetProperty("summary");
        Assert.Equal(["4", "6", "1", "3"], summary.Texts("stored", "faces", "photos_without_faces", "removed_faces"));
        Assert.Equal(["3", "1"], summary.Texts("left_out.TOO_SMALL", "left_out.LOW_QUALITY"));
    }

    [Fact]
    public async Task Attributes_persons_and_paths_are_stored()
    {
        await _server.RunAsync(
            "ingest",
            _folder.File("in"),
            "--kind",
            "photo",
            "--failed",
            _folder.File("f.jsonl"),
            "--person-from-folder",
            "--attribute",
            "year=2024",
            "--attribute",
            "good=true");
        var photos = _server.Requests.OfType<StreamIngestRequest>().ToDictionary(request => request.Photo.JobId, request => request.Photo);
        Assert.Equal(5, photos.Count);
        Assert.Equal(Path.Combine(_folder.File("in"), "ada", "2.jpg"), photos["ada/2.jpg"].Attributes.Fields["path"].StringValue);
        Assert.Equal("ada", photos["ada/2.jpg"].Attributes.Fields["person"].StringValue);
        Assert.Equal("bob", photos["bob/deep/3.jpg"].Attributes.Fields["person"].StringValue);
        Assert.False(photos["1.jpg"].Attributes.Fields.ContainsKey("person"));
        Assert.All(photos.Values, photo =>
        {
            var fields = photo.Attributes.Fields;
            Assert.Equal((2024d, true, 1), (fields["year"].NumberValue, fields["good"].BoolValue, photo.Options.MaxFaces));
        });

        await _server.RunAsync("ingest", _folder.File("in/ada"), "--kind", "photo", "--no-path", "--max-faces", "7", "-c", "other", "--model", "");
        var request = _server.Last<StreamIngestRequest>();
        Assert.Null(request.Photo.Attributes);
        Assert.Equal(("2.jpg", "other", 7), (request.Photo.JobId, request.Collection, request.Photo.Options.MaxFaces));
    }

    [Fact]
    public async Task Resume_skips_photos_whose_first_face_is_stored()
    {
        _server.Answer(_ => new ListCollectionsResponse
        {
            Collections = { new Collection { Name = "face_embeddings", PointCount = 2, Model = "face" } },
        });
        _server.Answer(_ => new CountVectorsResponse { Count = 2 });
        _server.Answer(_ => new ListVectorsResponse
        {
            Points = { new VectorPoint { PointId = "ada/2.jpg-0" }, new VectorPoint { PointId = "1.jpg-1" } },
        });
        var result = await _server.RunAsync("ingest", _folder.File("in"), "--kind", "photo", "--failed", _folder.File("f.jsonl"), "--resume");
        Assert.StartsWith("3 photos stored, 1 skipped, 1 failed", result.Lines[^1], StringComparison.Ordinal);
        Assert.DoesNotContain(_server.Requests.OfType<StreamIngestRequest>(), request => request.Photo.JobId == "ada/2.jpg");
    }

    [Fact]
    public async Task A_server_without_a_detector_is_one_line()
    {
        _server.Answer(_ => new ListModelsResponse { Models = { new Model { Name = "face", Kind = ModelKind.Face, DefaultForKind = true } } });
        var result = await _server.RunAsync("ingest", _folder.File("in"), "--kind", "photo");
        Assert.Equal((ExitCode.Failed, ""), (result.ExitCode, result.Output));
        Assert.Equal("embeddings: The server has no detector, so that it cannot find the faces in photos.", Assert.Single(result.ErrorLines));
    }

    [Fact]
    public async Task A_photo_that_was_sent_as_a_face_has_advice()
    {
        _server.Answer(_ => new StreamIngestResponse
        {
            Error = new() { Code = (int)StatusCode.InvalidArgument, Reason = "FACE_NOT_CROPPED", Message = "The image is a whole photo." },
        });
        var result = await _server.RunAsync("ingest", _folder.File("in/ada"), "--kind", "face", "--failed", _folder.File("f.jsonl"));
        Assert.Equal(ExitCode.SomeItemsFailed, result.ExitCode);
        Assert.Contains(
            result.ErrorLines,
            line => line.StartsWith("2.jpg: INVALID_ARGUMENT FACE_NOT_CROPPED: The image is a whole photo.", StringComparison.Ordinal)
                && line.Contains("ingest --kind photo", StringComparison.Ordinal));
        Assert.False(_server.Last<StreamIngestRequest>().Face.Face.Aligned);
        await _server.RunAsync("ingest", _folder.File("in/ada"), "--kind", "face", "--failed", _folder.File("f.jsonl"), "--aligned");
        Assert.True(_server.Last<StreamIngestRequest>().Face.Face.Aligned);
    }

    [Fact]
    public async Task A_list_can_be_ingested_as_photos_but_has_no_folders()
    {
        var list = _folder.Write("list.jsonl", """{"path": "in/1.jpg", "job_id": "one", "media_store_id": "m", "attributes": {"person": "Ada"}}""");
        var result = await _server.RunAsync("ingest", list, "--kind", "photo");
        Assert.Equal(ExitCode.Done, result.ExitCode);
        var photo = _server.Last<StreamIngestRequest>().Photo;
        Assert.Equal(("one", "m"), (photo.JobId, photo.MediaStoreId));
        Assert.Equal("Ada", photo.Attributes.Fields["person"].StringValue);
        Assert.Equal(_folder.File("in/1.jpg"), photo.Attributes.Fields["path"].StringValue);
        result = await _server.RunAsync("ingest", list, "--kind", "photo", "--person-from-folder");
        Assert.Contains("--person-from-folder requires a directory", Assert.Single(result.ErrorLines), StringComparison.Ordinal);
    }

    private static StreamIngestResponse Respond(StreamIngestRequest request)
    {
        var job = request.Photo.JobId;
        if (job == "bad.jpg")
        {
            return new() { Error = new() { Code = (int)StatusCode.InvalidArgument, Reason = "IMAGE_MALFORMED", Message = "damaged" } };
        }
        var ack = new PhotoAck
        {
            Collection = request.Collection,
            LeftOut = { FacesDouble.LeftOut(job == "1.jpg" ? LeftOutReason.LowQuality : LeftOutReason.TooSmall) },
            RemovedCount = job.StartsWith("empty", StringComparison.Ordinal) ? 0 : 1,
            Photo = new() { Width = 640, Height = 480, ExifOrientation = 1 },
        };
        for (var i = 0; i < (job.StartsWith("empty", StringComparison.Ordinal) ? 0 : 2); i++)
        {
            ack.Faces.Add(new StoredFace { PointId = $"{job}-{i}", Face = FacesDouble.Face(i) });
        }
        return new() { PhotoAck = ack };
    }
}
