using Embeddings.Tooling.Photos;
using Embeddings.V1;
using Grpc.Core;
using SkiaSharp;

namespace Embeddings.Cli.Tests.Photos;

/// <summary>detect, compare, and identify, against a double of the server.</summary>
public sealed class FaceCommandsTests : IAsyncLifetime
{
    private readonly TempFolder _folder = new();
    private FacesDouble _server = null!;

    public async ValueTask InitializeAsync() => _server = await FacesDouble.StartAsync();

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task Detect_prints_faces_and_those_left_out_with_the_reason()
    {
        AnswerDetect();
        var result = await _server.RunAsync("detect", Photo());
        Assert.Equal((ExitCode.Done, ""), (result.ExitCode, result.Error));
        Assert.Equal(
        [
            $"{Photo()}: 320x240, 2 faces, 1 left out",
            "face\tbox\tconfidence\tquality\tpose\tleft out",
            "0\t80x90 at 10,20\t0.88\t0.50\tyaw 10, pitch 0, roll -5",
            "1\t80x90 at 110,20\t0.88\t0.50\tyaw 10, pitch 0, roll -5",
            "-\t20x25 at 200,100\t0.75\t\t\tTOO_SMALL: the shorter side must have at least 40 pixels; got 20",
        ],
        result.Lines);
    }

    [Fact]
    public async Task Detect_writes_one_object_per_photo_with_json()
    {
        AnswerDetect();
        var result = await _server.RunAsync("detect", Photo(), Photo("b.jpg"), "--json");
        Assert.Equal((ExitCode.Done, 2), (result.ExitCode, result.Objects.Count));
        var first = result.Objects[0];
        Assert.Equal(Photo(), first.GetProperty("path").GetString());
        Assert.Equal(["320", "1", "0"], first.Texts("photo.width", "photo.exif_orientation", "photo.rotation"));
        var face = first.At("faces.1");
        Assert.Equal(["1", "110", "0.25", "10.4"], face.Texts("face_index", "bbox.x", "quality.sharpness", "pose.yaw"));
        Assert.Equal((5, 2), (face.At("landmarks").GetArrayLength(), face.At("landmarks.0").GetArrayLength()));
        Assert.False(face.TryGetProperty("liveness", out _));
        Assert.Equal(["TOO_SMALL"], first.Texts("left_out.0.reason"));
    }

    [Fact]
    public async Task Options_are_sent_and_those_not_given_are_the_defaults()
    {
        AnswerDetect();
        await _server.RunAsync("detect", Photo());
        Assert.Equal(new FaceOptions { MaxFaces = 100, MinFaceSize = 40 }, _server.Last<DetectFacesRequest>().Options);
        await _server.RunAsync(
            "detect", Photo(), "--max-faces", "3", "--min-face-size", "20", "--min-confidence", "0.5", "--min-quality", "0.25", "--try-rotations",
            "--detector", "d", "--liveness");
        var expected = new FaceOptions
        {
            MaxFaces = 3,
            MinFaceSize = 20,
            MinConfidence = 0.5f,
            MinQuality = 0.25f,
            TryRotations = true,
            Detector = "d",
            WithLiveness = true,
        };
        Assert.Equal(expected, _server.Last<DetectFacesRequest>().Options);
    }

    [Fact]
    public async Task The_error_of_one_photo_does_not_end_the_others()
    {
        _server.Answer(request => ((DetectFacesRequest)request).Photo.Encoded.Length < 100
            ? throw new RpcException(new Status(StatusCode.InvalidArgument, "no image"))
            : Detected());
        var bad = _folder.Write("bad.jpg", "not an image");
        var result = await _server.RunAsync("detect", bad, Photo(), _folder.File("missing.jpg"));
        Assert.Equal(ExitCode.SomeItemsFailed, result.ExitCode);
        Assert.StartsWith(Photo(), result.Lines[0], StringComparison.Ordinal);
        Assert.Equal(2, result.ErrorLines.Count);
        Assert.StartsWith($"embeddings: {bad}: INVALID_ARGUMENT", result.ErrorLines[0], StringComparison.Ordinal);
        Assert.Contains("FILE_NOT_FOUND", result.ErrorLines[1], StringComparison.Ordinal);
        Assert.Equal(ExitCode.Failed, (await _server.RunAsync("detect", bad)).ExitCode);
    }

    [Fact]
    public async Task Draw_writes_the_photo_with_the_names_of_persons()
    {
        AnswerDetect();
        AnswerIdentify();
        var target = _folder.File("out.png");
        var result = await _server.RunAsync("detect", Photo(), "--draw", target, "-c", "family");
        Assert.Equal((ExitCode.Done, $"written {target}"), (result.ExitCode, result.Lines[^1]));
        Assert.Equal("family", _server.Last<IdentifyFacesRequest>().Collection);
        using var drawn = SKBitmap.Decode(target);
        Assert.Equal((320, 240), (drawn.Width, drawn.Height));
        // The left edge of the first box lies between two pixels.
        using var original = UprightPhoto.Decode(TestImages.Jpeg(1));
        var (edge, before) = (drawn.GetPixel(10, 60), original.GetPixel(10, 60));
        Assert.True(edge.Green > before.Green + 20, $"{edge} was {before}");
        Assert.Equal(original.GetPixel(14, 60), drawn.GetPixel(14, 60));

        var json = await _server.RunAsync("detect", Photo(), "--draw", target, "--json");
        Assert.Equal(["Ada"], json.Objects[0].Texts("persons.0.person"));
    }

    [Theory]
    [InlineData(StatusCode.NotFound, "Collection 'face_embeddings' does not exist.")]
    [InlineData(StatusCode.FailedPrecondition, "another model")]
    public async Task Without_persons_the_photo_is_drawn_without_names(StatusCode status, string message)
    {
        AnswerDetect();
        _server.Answer<IdentifyFacesResponse>(_ => throw new RpcException(new Status(status, message)));
        var target = _folder.File("out.jpg");
        var result = await _server.RunAsync("detect", Photo(), "--draw", target);
        Assert.Equal(ExitCode.Done, result.ExitCode);
        Assert.Contains($"without names: {message}", result.ErrorLines);
        Assert.True(File.Exists(target));
        var calls = _server.Requests.Count;
        result = await _server.RunAsync("detect", Photo(), "--draw", target, "--no-names");
        Assert.DoesNotContain(result.ErrorLines, line => line.Contains("names", StringComparison.Ordinal));
        Assert.Equal(calls + 1, _server.Requests.Count);
    }

    [Theory]
    [InlineData("detect a.jpg b.jpg --draw c.jpg", "--draw requires one photo; got 2.")]
    [InlineData("detect a.jpg --draw c.bmp", "--draw must be a file with the extension .jpg, .jpeg, .png, .webp; got 'c.bmp'.")]
    [InlineData("detect a.jpg --max-faces 0", "--max-faces must be between 1 and 1000; got 0.")]
    [InlineData("detect a.jpg --min-face-size 5", "--min-face-size must be between 10 and 4096; got 5.")]
    [InlineData("detect a.jpg --min-quality 1.5", "--min-quality must be between 0 and 1; got 1.5.")]
    [InlineData("detect a.jpg --min-confidence NaN", "--min-confidence must be between 0 and 1; got NaN.")]
    [InlineData("compare a.jpg b.jpg --threshold 2", "--threshold must be between -1 and 1; got 2.")]
    [InlineData("identify a.jpg --max-persons 101", "--max-persons must be between 1 and 100; got 101.")]
    [InlineData("people --photos x", "--photos requires --report.")]
    [InlineData("people --min-faces 0", "--min-faces must be between 1 and 1000; got 0.")]
    [InlineData("people merge a", "Option '--into' is required.")]
    [InlineData("people nmae a b", "'nmae' is not a command of 'embeddings people'. Did you mean 'name'?")]
    [InlineData("ingest x --kind face --max-faces 3", "Options for the faces in photos, and --no-path, require --kind photo.")]
    [InlineData("ingest x --no-path", "Options for the faces in photos, and --no-path, require --kind photo.")]
    [InlineData("ingest x --aligned", "--aligned requires --kind face.")]
    [InlineData("ingest x --attribute a=1 --attribute a=2", "--attribute a must be set once.")]
    [InlineData("ingest x --attribute a>1", "--attribute must be KEY=VALUE; got 'a>1'.")]
    [InlineData("search a.jpg --kind photo", "--kind must be image or face; got 'photo'.")]
    public async Task Wrong_arguments_are_one_line(string arguments, string message)
    {
        var result = await CommandResult.RunAsync(arguments.Split(' '));
        Assert.Equal((ExitCode.Failed, ""), (result.ExitCode, result.Output));
        Assert.StartsWith($"embeddings: {message}", Assert.Single(result.ErrorLines), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Compare_prints_a_matrix_and_the_threshold()
    {
        var response = new CompareFacesResponse
        {
            FirstFaces = { FacesDouble.Face(0), FacesDouble.Face(1) },
            SecondFaces = { FacesDouble.Face(0), FacesDouble.Face(1) },
            Pairs =
            {
                new FacePair { FirstIndex = 1, SecondIndex = 0, Similarity = 0.75f, SamePerson = true },
                new FacePair { FirstIndex = 0, SecondIndex = 0, Similarity = 0.25f, SamePerson = false },
                new FacePair { FirstIndex = 0, SecondIndex = 1, Similarity = 0.125f, SamePerson = false },
                new FacePair { FirstIndex = 1, SecondIndex = 1, Similarity = -0.5f, SamePerson = false },
            },
            Threshold = 0.375f,
            Model = "mobilefacenet",
            FirstPhoto = Info(),
            SecondPhoto = Info(),
        };
        _server.Answer(_ => response);
        var (a, b) = (Photo(), Photo("b.jpg"));
        var result = await _server.RunAsync("compare", a, b, "--threshold", "0.375");
        Assert.Equal(
        [
            $"{a}: 320x240, 2 faces (rows)",
            $"{b}: 320x240, 2 faces (columns)",
            "face\t0\t1",
            "0\t0.250 different\t0.125 different",
            "1\t0.750 same\t-0.500 different",
            "threshold 0.375 of model mobilefacenet",
        ],
        result.Lines);
        Assert.Equal(0.375f, _server.Last<CompareFacesRequest>().Threshold);
        var json = Assert.Single((await _server.RunAsync("compare", a, b, "--json")).Objects);
        Assert.False(_server.Last<CompareFacesRequest>().HasThreshold);
        Assert.Equal(["1", "true"], json.Texts("pairs.0.first_index", "pairs.0.same_person"));

        _server.Answer(_ => new CompareFacesResponse { Model = "m", FirstPhoto = Info(), SecondPhoto = Info() });
        result = await _server.RunAsync("compare", a, b);
        Assert.Equal($"{a}: 320x240, no face (rows)", result.Lines[0]);
        Assert.Equal("model m has no measured threshold; set one with --threshold", result.Lines[2]);
    }

    [Fact]
    public async Task Identify_prints_the_person_or_unknown()
    {
        AnswerIdentify();
        var result = await _server.RunAsync("identify", Photo(), "--max-persons", "2", "--attribute", "year=2024");
        Assert.Equal(
        [
            $"{Photo()}: 320x240, 2 faces; threshold 0.375",
            "face\tbox\tperson\tsimilarity\tmost similar face\tothers",
            "0\t80x90 at 10,20\tAda\t0.750\ta.jpg-0\tBob 0.125",
            "1\t80x90 at 110,20\tunknown\t0.250\tb.jpg-0\tBob 0.250",
        ],
        result.Lines);
        var request = _server.Last<IdentifyFacesRequest>();
        Assert.Equal(("face_embeddings", 2, 2024d), (request.Collection, request.MaxPersons, request.Filter.Attributes[0].Number));
        var json = Assert.Single((await _server.RunAsync("identify", Photo(), "--json")).Objects);
        Assert.Equal(["Ada", "a.jpg-0", ""], json.Texts("faces.0.person", "faces.0.persons.0.point_id", "faces.1.person"));
    }

    private static PhotoInfo Info() => new() { Width = 320, Height = 240, ExifOrientation = 1 };

    private static DetectFacesResponse Detected() => new()
    {
        Faces = { new DetectedFace { Face = FacesDouble.Face(0) }, new DetectedFace { Face = FacesDouble.Face(1) } },
        LeftOut = { FacesDouble.LeftOut() },
        Photo = Info(),
    };

    private void AnswerDetect() => _server.Answer(_ => Detected());

    private void AnswerIdentify() => _server.Answer(_ => new IdentifyFacesResponse
    {
        Faces =
        {
            new IdentifiedFace
            {
                Face = FacesDouble.Face(0),
                Person = "Ada",
                Persons =
                {
                    new PersonMatch { Person = "Ada", Similarity = 0.75f, PointId = "a.jpg-0", SamePerson = true },
                    new PersonMatch { Person = "Bob", Similarity = 0.125f, PointId = "b.jpg-0" },
                },
            },
            new IdentifiedFace
            {
                Face = FacesDouble.Face(1),
                Persons = { new PersonMatch { Person = "Bob", Similarity = 0.25f, PointId = "b.jpg-0" } },
            },
        },
        Photo = Info(),
        Threshold = 0.375f,
    });

    private string Photo(string name = "a.jpg") => _folder.Write(name, TestImages.Jpeg(1));
}
