using System.Numerics;
using Embeddings.Core;
using Embeddings.Core.Inference;
using Embeddings.Core.Models;
using Embeddings.Testing;
using Embeddings.Testing.Models;
using Embeddings.Tooling.Models.Adding;
using Embeddings.Tooling.Onnx;
using static Embeddings.Testing.Models.FixedOutputs;

namespace Embeddings.Tooling.Tests.Models.Adding;

/// <summary>Detectors that users bring: real ones, and graphs with the outputs of others.</summary>
public sealed class DetectorModelTests : IDisposable
{
    private static readonly InputSpec Blaze = new() { Width = 128, Height = 128 };
    private static readonly InputSpec Scrfd = new() { Width = 640, Height = 640 };

    private readonly TemporaryModels _models = new();

    public void Dispose() => _models.Dispose();

    [MaterialTheory]
    [InlineData("face_detection_yunet_2023mar", "yunet", 1, 0.6f)]
    [InlineData("version-RFB-320", "ultralight", 1, 0.6f)]
    public void A_real_detector_is_added_and_finds_the_faces(string file, string preset, int maxBatch, float overlap)
    {
        var added = ModelAdder.Add(Request(Material.Path("models", file + ".onnx"), preset));
        Assert.Equal((ModelKind.Detector, 0, maxBatch), (added.Manifest.Kind, added.Manifest.Dimension, added.MaxBatch));
        using var model = ModelLoader.Load(added.File, new());
        var faces = LabelledFace.All();
        var found = DetectorRun.Best(model, [.. faces.Select(face => face.File)]);
        Assert.All(found.Zip(faces), pair =>
        {
            Assert.InRange(pair.First[4], model.Manifest.Detector!.MinConfidence, 1);
            Assert.InRange(pair.Second.Overlap(pair.First), overlap, 1);
            for (var i = 0; i < model.Manifest.Detector.Keypoints; i++)
            {
                var point = new Vector2(pair.First[5 + (2 * i)], pair.First[6 + (2 * i)]);
                Assert.InRange(Vector2.Distance(point, pair.Second.Points[i]) / pair.Second.EyeDistance, 0, 0.35f);
            }
        });
    }

    [MaterialTheory]
    [InlineData("face_detection_yunet_2023mar", "yunet")]
    [InlineData("version-RFB-320", "ultralight")]
    public void A_detector_added_as_something_else_is_told_its_preset(string file, string preset)
    {
        var model = Material.Path("models", file + ".onnx");
        Assert.Contains($"Add it as a detector with --preset {preset}.", Refused(Request(model, "imagenet-torchvision")), StringComparison.Ordinal);
        Assert.Contains($"Use --preset {preset}.", Refused(Request(model, preset == "yunet" ? "blazeface" : "yunet")), StringComparison.Ordinal);
        Assert.Contains("--decode must not be set", Refused(Request(model, preset) with { Decode = DecodeMode.Full }), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true, true, 1)]
    [InlineData(true, false, 1)]
    [InlineData(false, true, 2)]
    public void Scrfd_is_recognized_by_the_sizes_of_its_outputs(bool flat, bool points, int maxBatch)
    {
        // In another order than that of the grids; the names are those of an exporter.
        List<FixedOutput> outputs = [];
        foreach (var (stride, number) in ((int, int)[])[(32, 0), (8, 1), (16, 2)])
        {
            var rows = 2 * (640 / stride) * (640 / stride);
            // The first anchor of the cell in row 5 and column 3.
            var row = 2 * ((5 * (640 / stride)) + 3);
            outputs.Add(new($"{440 + number}", Rows(rows, 1, 0, (row, [0.9f - (stride / 100f)])), 1));
            outputs.Add(new($"{450 + number}", Rows(rows, 4, 0, (row, [1, 2, 3, 4])), 4));
            if (points)
            {
                outputs.Add(new($"{460 + number}", Rows(rows, 10, 0, (row, [0, 1, 1, 0, 0.5f, 0.5f, 0, 2, 2, 2])), 10));
            }
        }
        var added = ModelAdder.Add(Request(Graph(Scrfd, outputs, flat), "scrfd") with { MaxBatch = flat ? null : 2 });
        var spec = added.Manifest.Detector!;
        Assert.Equal(["441", "442", "440"], spec.Outputs.Scores);
        Assert.Equal(["451", "452", "450"], spec.Outputs.Boxes);
        Assert.Equal(points ? 5 : 0, spec.Keypoints);
        Assert.Equal((maxBatch, 640, 16, 512), (added.MaxBatch, added.Manifest.Input.Width, spec.MinFace, spec.MaxFace));
        var found = Run(added.File);
        var length = points ? 15 : 5;
        Assert.Equal(3 * length, found.Length);
        foreach (var (i, stride) in ((int, int)[])[(0, 8), (1, 16), (2, 32)])
        {
            var (x, y) = (3f * stride, 5f * stride);
            float[] box = [x - stride, y - (2 * stride), x + (3 * stride), y + (4 * stride), 0.9f - (stride / 100f)];
            float[] five = [x, y + stride, x + stride, y, x + (stride / 2f), y + (stride / 2f), x, y + (2 * stride), x + (2 * stride), y + (2 * stride)];
            Assert.Equal(points ? [.. box, .. five] : box, found.AsSpan(i * length, length).ToArray());
        }
    }

    [Theory]
    [InlineData("regressors", "classificators")]
    [InlineData("1477", "1489")]
    public void BlazeFace_is_recognized_by_its_names_or_sizes(string boxes, string scores)
    {
        var row = 512 + (6 * ((7 * 8) + 2)) + 5;
        var added = ModelAdder.Add(Request(
            Graph(Blaze, [new(boxes, Rows(896, 16, 0, (row, [4, -8, 30, 20])), 16), new(scores, Rows(896, 1, -50, (row, [1])), 1)]), "blazeface"));
        Assert.Equal((32, 0), (added.MaxBatch, added.Manifest.Detector!.Keypoints));
        // The anchor is at (2.5, 7.5) cells of 16 pixels.
        Assert.Equal([29, 102, 59, 122, 1 / (1 + MathF.Exp(-1))], Run(added.File), (left, right) => MathF.Abs(left - right) < 1e-4f);
    }

    [Fact]
    public void An_input_of_another_size_finds_larger_faces()
    {
        var large = new InputSpec { Width = 640, Height = 480 };
        var added = ModelAdder.Add(Request(Graph(large, [new("scores", [0.2f, 0.8f], 2), new("boxes", [0, 0, 1, 1], 4)]), "ultralight"));
        Assert.Equal((640, 20, 360, 16), (added.Manifest.Input.Width, added.Manifest.Detector!.MinFace, added.Manifest.Detector.MaxFace, added.MaxBatch));
        Assert.Equal([0, 0, 640, 480, 0.8f], Run(added.File));
    }

    [Fact]
    public void Contradictions_are_refused()
    {
        var detector = Graph(Blaze, [new("scores", [0.5f, 0.5f], 2), new("boxes", [0, 0, 1, 1], 4)]);
        Assert.Contains("--kind is face, but preset 'ultralight' is for kind detector", Refused(Request(detector, "ultralight") with { Kind = ModelKind.Face }), StringComparison.Ordinal);
        Assert.Contains("--kind is detector, but preset 'adaface' is for kind face", Refused(Request(detector, "adaface") with { Kind = ModelKind.Detector }), StringComparison.Ordinal);
        Assert.Contains("--output must not be set", Refused(Request(detector, "ultralight") with { Output = "boxes" }), StringComparison.Ordinal);
        Assert.Contains("needs a preset: blazeface, scrfd, ultralight, yunet", Refused(Request(detector, null) with { Kind = ModelKind.Detector }), StringComparison.Ordinal);
        Assert.Contains("section 'landmarks'", Refused(Request(detector, null) with { Kind = ModelKind.Landmarks }), StringComparison.Ordinal);
        // Rows that do not belong to the grids of the input.
        var rows = Graph(Blaze, [new("a", Rows(895, 16, 0), 16), new("b", Rows(895, 1, 0), 1)]);
        Assert.Contains("896 rows together (16 x 16 cells x 2, 8 x 8 cells x 6)", Refused(Request(rows, "blazeface")), StringComparison.Ordinal);
    }

    [Fact]
    public void A_gray_embedding_model_has_one_channel()
    {
        var graph = new GraphBuilder("gray");
        var input = graph.Input("input", TemporaryModels.Float, 0, 1, 8, 8);
        graph.Node("Reshape", [input, graph.Longs([-1, 64], 2)], ["output"]);
        graph.Output("output", TemporaryModels.Float, 0, 64);
        var request = Request(graph.Build(), null) with { Kind = ModelKind.Image, ColorOrder = ColorOrder.Gray, Mean = [127.5f], Std = [127.5f, 127.5f, 127.5f] };
        var added = ModelAdder.Add(request);
        Assert.Equal((64, 1), (added.Manifest.Dimension, added.Manifest.Input.Channels));
        Assert.Equal([127.5f], added.Manifest.Input.Std);
        Assert.Contains("--color-order gray", Refused(request with { ColorOrder = ColorOrder.Rgb, Mean = [0, 0, 0], Std = [1, 1, 1] }), StringComparison.Ordinal);
    }

    private AddRequest Request(ModelProto model, string? preset)
    {
        var file = Path.Combine(_models.Folder, "test.onnx");
        OnnxFile.Save(model, file);
        return Request(file, preset);
    }

    private AddRequest Request(string file, string? preset) =>
        new() { File = file, Directory = Path.Combine(_models.Folder, "to"), Preset = preset, Replace = true };

    private static string Refused(AddRequest request) =>
        Assert.Throws<ModelException>(() => ModelAdder.Add(request)).Message;

    private static float[] Run(string file)
    {
        using var model = ModelLoader.Load(file, new());
        using var tensor = model.CreateTensor();
        tensor.Item(0).Clear();
        model.Run(0, tensor, 0, 1);
        return tensor.TakeResult(0);
    }
}
