using System.Numerics;
using Embeddings.Core.Faces;
using Embeddings.Core.Imaging;
using Embeddings.Core.Memory;
using Embeddings.Core.Models;
using Embeddings.Primitives;
using Embeddings.Testing;
using Embeddings.Testing.Models;
using Microsoft.Extensions.DependencyInjection;

namespace Embeddings.Core.Tests.Faces;

/// <summary>The flow of a photo, with models that find what a test wants.</summary>
public sealed class FaceFinderTests : IDisposable
{
    private const int Width = 320;
    private const int Height = 240;

    private static readonly InputSpec DetectorInput = new() { Width = Width, Height = Height };
    private static readonly InputSpec CropInput = new() { Width = 64, Height = 64, ColorOrder = ColorOrder.Gray, Mean = [0], Std = [256] };

    // The template, as shares of the crop.
    private static readonly float[] Face =
        [.. ((float[])[38.2946f, 51.6963f, 73.5318f, 51.5014f, 56.0252f, 71.7366f, 41.5493f, 92.3655f, 70.7299f, 92.2041f]).Select(value => value / 112)];

    private readonly TemporaryModels _models = new();
    private ServiceProvider? _services;

    private FaceFinder Finder => Services.GetRequiredService<FaceFinder>();

    private MemoryBudget Memory => Services.GetRequiredService<MemoryBudget>();

    private ServiceProvider Services => _services ??= Create(new());

    public void Dispose()
    {
        _services?.Dispose();
        _models.Dispose();
    }

    [Fact]
    public async Task The_largest_faces_are_kept_and_the_others_left_out_with_a_reason()
    {
        AddDetector((10, 10, 100, 120, 0.95f), (150, 10, 60, 60, 0.96f), (230, 10, 30, 35, 0.96f), (150, 100, 50, 55, 0.4f), (230, 100, 45, 50, 0.96f));
        AddLandmarks(Face);
        var photo = await FindAsync(new() { MaxFaces = 2 });
        Assert.Equal((Width, Height, 1, 0), (photo.Width, photo.Height, photo.ExifOrientation, photo.Rotation));
        Assert.Equal([(100f, 0.95f), (60f, 0.96f)], photo.Faces.Select(face => (MathF.Round(face.Box.Width, 2), face.Confidence)));
        Assert.Equal(
            [LeftOutReason.LowConfidence, LeftOutReason.OverMaxFaces, LeftOutReason.TooSmall], photo.LeftOut.Select(face => face.Reason));
        Assert.Equal(
            [
                "The confidence must be at least 0.7 (min_confidence); it is 0.4.",
                "There are 2 larger faces, as many as are kept (max_faces).",
                "The shorter side of the box must be at least 40 pixels (min_face_size); it is 30.",
            ],
            photo.LeftOut.Select(face => face.Message));
        Assert.All(photo.Faces, face =>
        {
            Assert.Equal(112 * 112 * 3, face.Crop.Length);
            Assert.InRange(face.Quality.Overall, 0, 1);
            Assert.Null(face.Liveness);
            // The landmarks of the template, in the box.
            Assert.Equal(face.Box.X + (Face[0] * face.Box.Width), face.Landmarks.LeftEye.X, 0.01f);
            Assert.Equal(face.Box.Y + (Face[9] * face.Box.Height), face.Landmarks.RightMouthCorner.Y, 0.01f);
        });
    }

    [Fact]
    public async Task Limits_of_the_request_apply()
    {
        AddDetector((10, 10, 100, 120, 0.95f), (150, 100, 50, 55, 0.96f));
        AddLandmarks(Face);
        Assert.Equal(2, (await FindAsync(new() { MinConfidence = 0.4f })).Faces.Count);
        Assert.Equal(LeftOutReason.LowConfidence, Assert.Single((await FindAsync(new() { MinConfidence = 0.99f, MinFaceSize = 60 })).LeftOut, face => face.Box.Width > 90).Reason);
        Assert.Single((await FindAsync(new() { MinConfidence = 0.4f, MinFaceSize = 60 })).Faces);
        var strict = await FindAsync(new() { MinQuality = 1 });
        Assert.Empty(strict.Faces);
        Assert.Equal(LeftOutReason.LowQuality, strict.LeftOut[0].Reason);
        Assert.Matches(@"^The overall quality must be at least 1 \(min_quality\); it is 0\.\d+\.$", strict.LeftOut[0].Message);
    }

    [Theory]
    // The detector always finds the same box. Enlarged to two thirds of the height, the first is where it was, since it is in
    // the middle and has that size; the second is not.
    [InlineData(110, 40, 100, 160, 0.8, true, 0.8)]
    [InlineData(230, 150, 45, 50, 0.9, false, 0.45)]
    public async Task A_doubtful_face_is_looked_at_again_and_its_confidence_is_the_mean(
        float x, float y, float width, float height, float score, bool isFace, float expected)
    {
        AddDetector((x, y, width, height, score));
        AddLandmarks(Face);
        var photo = await FindAsync(new());
        Assert.Equal(isFace ? 1 : 0, photo.Faces.Count);
        Assert.All(photo.LeftOut, left => Assert.Equal(LeftOutReason.LowConfidence, left.Reason));
        Assert.Equal(
            expected, Assert.Single(photo.Faces.Select(face => face.Confidence).Concat(photo.LeftOut.Select(left => left.Confidence))), 1e-4f);
    }

    [Fact]
    public async Task Landmarks_that_are_no_face_leave_it_out_and_the_next_one_gets_its_turn()
    {
        AddDetector((10, 10, 100, 120, 0.95f), (150, 10, 60, 60, 0.96f), (230, 100, 45, 50, 0.96f));

        // Upside down.
        AddLandmarks([.. Face.Select((value, i) => i % 2 == 0 ? value : 1 - value)]);
        var photo = await FindAsync(new() { MaxFaces = 1 });
        Assert.Empty(photo.Faces);
        Assert.Equal(Enumerable.Repeat(LeftOutReason.LandmarksInvalid, 3), photo.LeftOut.Select(face => face.Reason));
    }

    [Fact]
    public async Task The_detectors_own_landmarks_need_no_landmark_model()
    {
        const int Stride = 160;

        // The first of four anchors is at (0, 0): its box is 100 x 100 pixels, and the landmarks are those of the template on it.
        var spec = new DetectorSpec
        {
            Boxes = BoxCoding.Distances,
            Strides = [Stride],
            Outputs = new() { Scores = ["scores"], Boxes = ["boxes"], Keypoints = ["points"] },
            Nms = 0.4f,
            MinConfidence = 0.7f,
            MinFace = 16,
            MaxFace = 200,
        };
        FixedOutput[] outputs =
        [
            new("scores", [0.96f, 0, 0, 0], 1),
            new("boxes", FixedOutputs.Rows(4, 4, 0, (0, [-20f / Stride, -30f / Stride, 120f / Stride, 130f / Stride])), 4),
            new("points", FixedOutputs.Rows(4, 10, 0, (0, [.. Face.Select((value, i) => ((value * 100) + (i % 2 == 0 ? 20 : 30)) / Stride)])), 10),
        ];
        _models.Save(
            FixedOutputs.Graph(DetectorInput, outputs), FixedOutputs.Manifest(ModelKind.Detector, DetectorInput, "points") with { Detector = spec });
        var face = Assert.Single((await FindAsync(new())).Faces);
        Assert.Equal(new(20, 30, 100, 100), Rounded(face.Box));
        Assert.Equal(20 + (Face[0] * 100), face.Landmarks.LeftEye.X, 0.01f);
        Assert.Equal(30 + (Face[5] * 100), face.Landmarks.Nose.Y, 0.01f);

        // Unless the request names one.
        var fault = await FaultAsync(new() { LandmarkModel = "other" });
        Assert.Equal((FaultKind.NotFound, Reasons.ModelNotFound, "options.landmark_model"), (fault.Kind, fault.Reason, fault.Field));
    }

    [Fact]
    public async Task Missing_models_are_named_by_the_field_that_asks_for_them()
    {
        var fault = await FaultAsync(new());
        Assert.Equal((FaultKind.NotFound, Reasons.ModelNotFound, "options.detector"), (fault.Kind, fault.Reason, fault.Field));
        await _services!.DisposeAsync();
        _services = null;
        AddDetector((10, 10, 100, 120, 0.95f));
        fault = await FaultAsync(new());
        Assert.Equal((FaultKind.NotFound, "options.landmark_model"), (fault.Kind, fault.Field));
        await _services!.DisposeAsync();
        _services = null;
        AddLandmarks(Face);
        fault = await FaultAsync(new() { WithLiveness = true });
        Assert.Equal((FaultKind.NotFound, "options.with_liveness"), (fault.Kind, fault.Field));
        fault = await FaultAsync(new() { Detector = "landmarks" });
        Assert.Equal((FaultKind.InvalidArgument, Reasons.ModelKindMismatch, "options.detector"), (fault.Kind, fault.Reason, fault.Field));
    }

    [Fact]
    public async Task Optional_models_estimate_liveness_and_pose()
    {
        AddDetector((10, 10, 100, 120, 0.95f), (150, 10, 60, 60, 0.96f));
        AddLandmarks(Face);
        _models.Save(
            FixedOutputs.Graph(CropInput, [new("classes", [0, MathF.Log(3)], 2)]),
            FixedOutputs.Manifest(ModelKind.Liveness, CropInput, "liveness") with { Liveness = new() { Output = "classes", LiveClass = 1, CropScale = 2.7f } });
        _models.Save(
            FixedOutputs.Graph(CropInput, [new("a", [0, 100, 0], 3), new("b", [100, 0, 0], 3), new("c", [0, 0, 100], 3)]),
            FixedOutputs.Manifest(ModelKind.Pose, CropInput, "pose") with
            {
                Pose = new() { Yaw = "a", Pitch = "b", Roll = "c", FirstBin = -10, BinSize = 30, CropScale = 1.5f },
            });
        var photo = await FindAsync(new() { WithLiveness = true });
        Assert.Equal(2, photo.Faces.Count);
        Assert.All(photo.Faces, face =>
        {
            Assert.Equal(0.75f, face.Liveness!.Value, 1e-4f);
            Assert.Equal(new(20, -10, 50), face.Pose);
        });
        Assert.All((await FindAsync(new())).Faces, face => Assert.Null(face.Liveness));
    }

    [Fact]
    public async Task Faults_name_the_callers_fields()
    {
        AddDetector((10, 10, 100, 120, 0.95f));
        AddLandmarks(Face);
        (ImageInput Photo, string Reason, string Field)[] wrong =
        [
            (ImageInput.FromFile(default), Reasons.ImageEmpty, "item.photo.encoded"),
            (ImageInput.FromFile(new byte[] { 1, 2, 3 }), Reasons.ImageFormatUnknown, "item.photo.encoded"),
            (ImageInput.FromFile(TestImages.Jpeg(1)[..500]), Reasons.ImageMalformed, "item.photo.encoded"),
            (ImageInput.FromFile(TestImages.Jpeg(1)[..^4_000]), Reasons.ImageMalformed, "item.photo.encoded"),
            (new(new byte[12 * 16], PixelFormat.RgbF32, 4, 4), Reasons.PixelFormatInvalid, "item.photo.pixels.format"),
            (new(new byte[12], PixelFormat.Rgb8, 4, 4), Reasons.PixelSizeMismatch, "item.photo.pixels.data"),
            (new(new byte[12], PixelFormat.Gray8, 0, 4), Reasons.PixelSizeMismatch, "item.photo.pixels.width"),
            (new(new byte[12], (PixelFormat)77, 4, 4), Reasons.PixelFormatInvalid, "item.photo.pixels.format"),
        ];
        foreach (var (photo, reason, field) in wrong)
        {
            var fault = await Assert.ThrowsAsync<Fault>(() => Finder.FindAsync(photo, new(), (112, 112), true, "item.photo", default));
            Assert.Equal((FaultKind.InvalidArgument, reason, field), (fault.Kind, fault.Reason, fault.Field));
        }
        (FaceSearch Search, string Field)[] searches =
        [
            (new() { MaxFaces = 0 }, "item.options.max_faces"),
            (new() { MaxFaces = 1_001 }, "item.options.max_faces"),
            (new() { MinFaceSize = 9 }, "item.options.min_face_size"),
            (new() { MinFaceSize = 4_097 }, "item.options.min_face_size"),
            (new() { MinConfidence = float.NaN }, "item.options.min_confidence"),
            (new() { MinQuality = 1.5f }, "item.options.min_quality"),
        ];
        foreach (var (search, field) in searches)
        {
            var fault = await Assert.ThrowsAsync<Fault>(() => Finder.FindAsync(Photo(), search, (112, 112), true, "item.photo", default));
            Assert.Equal((FaultKind.InvalidArgument, Reasons.FieldInvalid, field), (fault.Kind, fault.Reason, fault.Field));
        }
        Assert.Equal("min_face_size must be between 10 and 4096; got 9.", (await FaultAsync(new() { MinFaceSize = 9 })).Message);
        AssertNothingInUse();
    }

    [Fact]
    public async Task A_search_that_would_take_too_many_runs_is_refused_with_what_is_possible()
    {
        AddDetector((10, 10, 100, 120, 0.95f));
        AddLandmarks(Face);
        var file = ImageInput.FromFile(TestImages.Encode(new byte[6_000 * 6_000], 6_000, 6_000, 1, ".png"));
        var fault = await Assert.ThrowsAsync<Fault>(() => Finder.FindAsync(
            file, new() { MinFaceSize = 10, TryRotations = true }, (112, 112), true, "photo", default));
        Assert.Equal((Reasons.FieldInvalid, "options.min_face_size"), (fault.Reason, fault.Field));
        Assert.Matches(
            @"^min_face_size must be at least \d\d for a photo of 6000 x 6000 pixels; got 10: the detector would run \d,\d{3} times, and may run at most 4,096 times\.$",
            fault.Message);
        var least = int.Parse(fault.Metadata[FaultKeys.Limit], System.Globalization.CultureInfo.InvariantCulture);
        Assert.InRange(TilePlan.Tiles(TilePlan.Of(6_000, 6_000, Width, Height, 16, least)) * 4, 1, FaceFinder.MaxTiles);
    }

    [Fact]
    public async Task A_photo_of_100_megapixels_is_searched_within_its_memory()
    {
        AddDetector((10, 10, 100, 120, 0.95f));
        AddLandmarks(Face);
        var file = ImageInput.FromFile(TestImages.Encode(new byte[100_000_000], 10_000, 10_000, 1, ".jpg"));
        var photo = await Finder.FindAsync(file, new() { MinFaceSize = 400 }, (112, 112), true, "photo", default);
        Assert.Equal((10_000, 10_000), (photo.Width, photo.Height));
        Assert.NotEmpty(photo.Faces);
        AssertNothingInUse();

        await _services!.DisposeAsync();
        _services = Create(new() { LimitBytes = 512L << 20 });
        var fault = await Assert.ThrowsAsync<Fault>(() => Finder.FindAsync(file, new(), (112, 112), true, "photo", default));
        Assert.Equal((Reasons.ImageTooLarge, "photo.encoded"), (fault.Reason, fault.Field));
        Assert.StartsWith("Processing the image must need at most ", fault.Message, StringComparison.Ordinal);
        var over = ImageInput.FromFile(TestImages.Encode(new byte[10_001 * 10_000], 10_001, 10_000, 1, ".jpg"));
        fault = await Assert.ThrowsAsync<Fault>(() => Finder.FindAsync(over, new(), (112, 112), true, "photo", default));
        Assert.Equal("The image must have at most 100,000,000 pixels; got 100,010,000 (10001 x 10000).", fault.Message);
    }

    [Fact]
    public async Task Calls_fail_fast_and_streams_wait_while_the_memory_is_in_use()
    {
        AddDetector((10, 10, 100, 120, 0.95f));
        AddLandmarks(Face);
        var charge = new Charge(Memory.Photos.Largest, 1, true);
        Assert.True(Memory.Photos.TryEnter(charge));
        var rest = new Charge(Memory.Photos.Largest / 3, 1, false);
        Assert.True(Memory.Photos.TryEnter(rest));
        // The one photo of this caller on top of the memory.
        var onTop = new Charge(1 << 20, 1, false);
        Assert.True(Memory.Photos.TryEnter(ref onTop, Caller.Current));
        var fault = await Assert.ThrowsAsync<Fault>(() => Finder.FindAsync(Photo(), new(), (112, 112), false, "photo", default));
        Assert.Equal((FaultKind.ResourceExhausted, Reasons.MemoryFull), (fault.Kind, fault.Reason));
        Assert.NotNull(fault.RetryAfter);

        using var gone = new CancellationTokenSource();
        var dropped = Finder.FindAsync(Photo(), new(), (112, 112), true, "photo", gone.Token);
        var waiting = Finder.StartAsync(Photo(), new(), (112, 112), true, "photo", default);
        Assert.False(waiting.IsCompleted);
        await gone.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => dropped);
        Assert.False(waiting.IsCompleted);
        Memory.Photos.Exit(rest);
        Assert.Single((await await waiting).Faces);
        Memory.Photos.Exit(charge);
        Memory.Photos.Exit(onTop);
        AssertNothingInUse();
    }

    [Fact]
    public async Task Many_photos_at_a_time_share_the_models_and_leave_nothing_behind()
    {
        AddDetector((10, 10, 100, 120, 0.95f), (150, 10, 60, 60, 0.96f));
        AddLandmarks(Face);
        var large = TestImages.Jpeg(3, 1_600, 1_200);
        var random = new Random(8);
        var results = await Task.WhenAll(Enumerable.Range(0, 60).Select(i => Task.Run(async () =>
        {
            using var cancellation = new CancellationTokenSource();
            if (i % 3 == 0)
            {
                cancellation.CancelAfter(i % 5 * 5);
            }
            try
            {
                var file = i % 7 == 0 ? large[..(large.Length / 2)] : large;
                var photo = await Finder.FindAsync(
                    ImageInput.FromFile(file), new() { MinFaceSize = 40 + i, TryRotations = i % 2 == 0 }, (112, 112), true, "photo", cancellation.Token);
                return photo.Faces.Count;
            }
            catch (OperationCanceledException) when (i % 3 == 0)
            {
                return -1;
            }
            catch (Fault fault) when (i % 7 == 0)
            {
                Assert.Equal(Reasons.ImageMalformed, fault.Reason);
                return -2;
            }
        })));
        Assert.All(results.Where((_, i) => i % 3 != 0 && i % 7 != 0), count => Assert.InRange(count, 1, 1_000));
        Assert.All(results.Where((_, i) => i % 3 != 0 && i % 7 == 0), count => Assert.Equal(-2, count));
        AssertNothingInUse();
        Assert.All(Services.GetRequiredService<ModelCatalog>().All, model => Assert.Equal(0, model.InFlight));
    }

    [Fact]
    public async Task A_model_that_fails_on_a_tile_fails_the_photo_with_its_error()
    {
        // Boxes that depend on the mean of the image are infinite for white tiles only: 255 times this factor exceeds the largest float.
        FixedOutput[] outputs =
        [
            new("scores", [0.9f], 1),
            new("boxes", [0.1f, 0.1f, 0.5f, 0.5f], 4, Factor: 1.34e36f),
        ];
        _models.Save(
            FixedOutputs.Graph(DetectorInput, outputs),
            FixedOutputs.Manifest(ModelKind.Detector, DetectorInput, "detector") with { Detector = Spec() });
        AddLandmarks(Face);
        var (width, height) = (1_600, 1_200);
        var bright = new ImageInput(Enumerable.Repeat((byte)255, width * height * 3).ToArray(), PixelFormat.Rgb8, width, height);
        foreach (var wait in (bool[])[true, false])
        {
            var fault = await Assert.ThrowsAsync<Fault>(() => Finder.FindAsync(bright, new(), (112, 112), wait, "photo", default));
            Assert.Equal((Reasons.VectorNotFinite, "photo"), (fault.Reason, fault.Field));
        }
        AssertNothingInUse();
        Assert.All(Services.GetRequiredService<ModelCatalog>().All, model => Assert.Equal(0, model.InFlight));
    }

    [Fact]
    public async Task Orientations_of_the_file_are_applied_and_echoed()
    {
        AddDetector((10, 10, 100, 120, 0.95f));
        AddLandmarks(Face);
        var pixels = TestImages.Smooth(Height, Width);
        Vips.EnsureStarted();
        using var image = NetVips.Image.NewFromMemoryCopy<byte>(pixels, Height, Width, 3, NetVips.Enums.BandFormat.Uchar);
        using var tagged = image.Mutate(mutable => mutable.Set(NetVips.GValue.GIntType, "orientation", 6));
        var photo = await Finder.FindAsync(ImageInput.FromFile(tagged.JpegsaveBuffer()), new(), (112, 112), true, "photo", default);
        Assert.Equal((Width, Height, 6, 0), (photo.Width, photo.Height, photo.ExifOrientation, photo.Rotation));
    }

    private static ImageInput Photo() => new(TestImages.Smooth(Width, Height), PixelFormat.Rgb8, Width, Height);

    private static FaceBox Rounded(FaceBox box) =>
        new(MathF.Round(box.X, 2), MathF.Round(box.Y, 2), MathF.Round(box.Width, 2), MathF.Round(box.Height, 2));

    private Task<PhotoFaces> FindAsync(FaceSearch search) => Finder.FindAsync(Photo(), search, (112, 112), false, "photo", default);

    private Task<Fault> FaultAsync(FaceSearch search) => Assert.ThrowsAsync<Fault>(() => FindAsync(search));

    private void AssertNothingInUse()
    {
        Assert.Equal((0, 0, 0), (Memory.Photos.Used, Memory.Decoding.Used, Memory.Photos.Waiting));
    }

    // Boxes in pixels of a photo of the input's size.
    private void AddDetector(params (float X, float Y, float Width, float Height, float Score)[] faces)
    {
        FixedOutput[] outputs =
        [
            new("scores", [.. faces.Select(face => face.Score)], 1),
            new(
                "boxes",
                [.. faces.SelectMany(face => (float[])
                    [face.X / Width, face.Y / Height, (face.X + face.Width) / Width, (face.Y + face.Height) / Height])],
                4),
        ];
        _models.Save(
            FixedOutputs.Graph(DetectorInput, outputs),
            FixedOutputs.Manifest(ModelKind.Detector, DetectorInput, "detector") with { Detector = Spec() });
    }

    private static DetectorSpec Spec() => new()
    {
        Boxes = BoxCoding.Corners,
        Outputs = new() { Scores = ["scores"], Boxes = ["boxes"] },
        Nms = 0.4f,
        MinConfidence = 0.7f,
        MinFace = 16,
        MaxFace = 200,
    };

    private void AddLandmarks(float[] points) => _models.Save(
        FixedOutputs.Graph(CropInput, [new("points", points, 10)]),
        FixedOutputs.Manifest(ModelKind.Landmarks, CropInput, "landmarks") with
        {
            Landmarks = new() { Output = "points", Points = [[0], [1], [2], [3], [4]] },
        });

    private ServiceProvider Create(MemoryOptions memory) => new ServiceCollection()
        .AddEmbeddingCore(new() { Models = new() { UseDefaults = false, Directories = [_models.Folder] }, Memory = memory })
        .BuildServiceProvider();
}
