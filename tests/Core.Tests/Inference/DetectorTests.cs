using Embeddings.Core.Batching;
using Embeddings.Core.Inference;
using Embeddings.Core.Models;
using Embeddings.Core.Tests.Batching;
using Embeddings.Primitives;
using Embeddings.Testing;
using Embeddings.Testing.Models;
using Embeddings.Tooling.Onnx;
using Microsoft.Extensions.Logging.Abstractions;
using static Embeddings.Testing.Models.FixedOutputs;

namespace Embeddings.Core.Tests.Inference;

/// <summary>Decoding of the outputs of detectors, on graphs with the outputs of real ones.</summary>
public sealed class DetectorTests : IDisposable
{
    private static readonly InputSpec Small = new() { Width = 64, Height = 64 };

    private readonly TemporaryModels _models = new();

    public void Dispose() => _models.Dispose();

    [Fact]
    public void Corners_are_shares_of_the_input_and_the_second_score_counts()
    {
        // Ultra-Light: [rows, 2] and [rows, 4]; a box may exceed the input.
        var spec = Spec(BoxCoding.Corners);
        var found = Detect(spec, new() { Width = 320, Height = 240 },
        [
            new("scores", [0.9f, 0.1f, 0.5f, 0.5f, 0.1f, 0.9f, 0.71f, 0.29f], 2),
            new("boxes", [0, 0, 1, 1, 0.25f, 0.5f, 0.5f, 1.25f, -0.125f, 0.1f, 0.25f, 0.2f, 0, 0, 1, 1], 4),
        ]);
        Assert.Equal([-40, 24, 80, 48, 0.9f, 80, 120, 160, 300, 0.5f], found.Select(value => MathF.Round(value, 4)));
    }

    [Fact]
    public void Distances_are_measured_in_strides_from_the_corner_of_the_cell()
    {
        // SCRFD: three grids of two anchors with five points; the sizes are 128, 32 and 8 rows.
        var spec = Spec(BoxCoding.Distances, [8, 16, 32], [2, 2, 2]) with
        {
            Outputs = new()
            {
                Scores = ["448", "471", "494"],
                Boxes = ["451", "474", "497"],
                Keypoints = ["454", "477", "500"],
            },
        };
        // The second anchor of the cell in row 2 and column 1 of the second grid, at (16, 32), and the last of all, at (32, 32).
        FixedOutput[] outputs =
        [
            new("448", Rows(128, 1, 0), 1),
            new("471", Rows(32, 1, 0, (19, [0.8f])), 1),
            new("494", Rows(8, 1, 0, (7, [0.6f])), 1),
            new("451", Rows(128, 4, 9), 4),
            new("474", Rows(32, 4, 9, (19, [1, 0.5f, 2, 1.5f])), 4),
            new("497", Rows(8, 4, 9, (7, [0.25f, 0.25f, 0.5f, 0.5f])), 4),
            new("454", Rows(128, 10, 9), 10),
            new("477", Rows(32, 10, 9, (19, [0, 0, 1, 0, 0.5f, -0.25f, 0, 1, 1, 1])), 10),
            new("500", Rows(8, 10, 9, (7, new float[10])), 10),
        ];
        float[] expected =
        [
            0, 24, 48, 56, 0.8f, 16, 32, 32, 32, 24, 28, 16, 48, 32, 48,
            24, 24, 48, 48, 0.6f, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32,
        ];
        Assert.Equal(expected, Detect(spec, Small, outputs));
        // Exported for one item, without a batch in the outputs.
        Assert.Equal(expected, Detect(spec, Small, outputs, flat: true));
    }

    [Fact]
    public void A_logarithmic_size_and_the_root_of_two_scores()
    {
        // YuNet: three grids of one anchor.
        var spec = Spec(BoxCoding.CenterLogSize, [8, 16, 32]) with
        {
            MinScore = 0.5f,
            Outputs = new()
            {
                Scores = ["cls_8", "cls_16", "cls_32"],
                Objectness = ["obj_8", "obj_16", "obj_32"],
                Boxes = ["bbox_8", "bbox_16", "bbox_32"],
                Keypoints = ["kps_8", "kps_16", "kps_32"],
            },
        };
        var found = Detect(spec, Small,
        [
            new("cls_8", Rows(64, 1, 0, (10, [0.81f]), (11, [1])), 1),
            new("cls_16", Rows(16, 1, 0), 1),
            new("cls_32", Rows(4, 1, 0), 1),
            new("obj_8", Rows(64, 1, 0, (10, [1]), (11, [0.24f])), 1),
            new("obj_16", Rows(16, 1, 1), 1),
            new("obj_32", Rows(4, 1, 1), 1),
            new("bbox_8", Rows(64, 4, 0, (10, [0.5f, 0.25f, MathF.Log(2), MathF.Log(3)])), 4),
            new("bbox_16", Rows(16, 4, 0), 4),
            new("bbox_32", Rows(4, 4, 0), 4),
            new("kps_8", Rows(64, 10, 0, (10, [1, 1, 2, 1, 1.5f, 2, 1, 3, 2, 3])), 10),
            new("kps_16", Rows(16, 10, 0), 10),
            new("kps_32", Rows(4, 10, 0), 10),
        ]);
        // Row 1, column 2: the anchor is (16, 8), the center (20, 10). The other candidate has a score of 0.49.
        float[] expected = [12, -2, 28, 22, 0.9f, 24, 16, 32, 16, 28, 24, 24, 32, 32, 32];
        Assert.Equal(expected, found.Select(value => MathF.Round(value, 4)));
    }

    [Fact]
    public void A_size_in_pixels_logits_and_values_behind_the_box()
    {
        // BlazeFace: 16 x 16 cells of two anchors and 8 x 8 of six in one output.
        var spec = Spec(BoxCoding.CenterSize, [8, 16], [2, 6]) with { Scores = ScoreCoding.Logit, AnchorOffset = 0.5f };
        var row = 512 + (((3 * 8) + 5) * 6) + 4;
        var found = Detect(spec, new() { Width = 128, Height = 128 },
        [
            new("scores", Rows(896, 1, -100, (row, [2]), (0, [100]), (1, [-1])), 1),
            new("boxes", Rows(896, 16, 0, (row, [3, -2, 40, 50]), (0, [0, 0, 8, 8])), 16),
        ]);
        Assert.Equal([0, 0, 8, 8, 1, 71, 29, 111, 79, MathF.Round(1 / (1 + MathF.Exp(-2)), 4)], found.Select(value => MathF.Round(value, 4)));
    }

    [Fact]
    public void The_thousand_best_candidates_come_best_first()
    {
        const int Count = 1_500;
        var scores = Enumerable.Range(0, Count).Select(i => 0.3f + (0.7f * ((i * 7919) % Count) / Count)).ToArray();
        var found = Detect(Spec(BoxCoding.Corners), Small,
        [
            new("scores", scores, 1),
            new("boxes", [.. Enumerable.Range(0, Count).SelectMany(i => new float[] { i, i, i, i })], 4),
        ]);
        Assert.Equal(DetectorDecoder.MaxCandidates, found.Length / 5);
        var best = Enumerable.Range(0, Count).OrderByDescending(i => scores[i]).Take(1_000).ToArray();
        Assert.Equal(best.Select(i => i * 64f), found.Chunk(5).Select(candidate => candidate[0]));
        Assert.Equal(best.Select(i => scores[i]), found.Chunk(5).Select(candidate => candidate[4]));
    }

    [Fact]
    public void No_candidates_are_an_empty_result() =>
        Assert.Empty(Detect(Spec(BoxCoding.Corners), Small, [new("scores", [0.29f], 1), new("boxes", [0, 0, 1, 1], 4)]));

    [Fact]
    public void Float16_is_converted()
    {
        var spec = Spec(BoxCoding.Corners);
        var graph = Graph(Small, [new("scores", [0.5f], 1), new("boxes", [0, 0.25f, 0.5f, 1], 4)], type: TensorProto.Types.DataType.Float16);
        using var model = Load(spec, Small, graph);
        Assert.Equal([0, 16, 32, 64, 0.5f], Run(model, 3)[2]);
    }

    [Fact]
    public async Task Items_of_a_batch_get_their_own_candidates_and_a_bad_one_its_own_error()
    {
        // The boxes move with the mean of the image; infinity makes them NaN.
        var spec = Spec(BoxCoding.Corners);
        using var model = Load(spec, Small, Graph(Small, [new("scores", [0.5f], 1), new("boxes", [0, 0, 1, 1], 4, Factor: 1)]));
        Assert.Equal(4, model.MaxBatch);
        Assert.Empty(model.Notices);
        using var runner = new BatchRunner(model, new(), FakeSession.Metrics(), TimeProvider.System, NullLogger.Instance);
        float[] means = [0.5f, float.PositiveInfinity, 0, 0.25f, 0.125f];
        var results = await Task.WhenAll(means.Select(async mean =>
        {
            var item = await runner.Queue.ReserveAsync(QueueHost.Owner, CancellationToken.None);
            item.Tensor.Fill(mean);
            return (await item.Commit(CancellationToken.None)).Vector;
        }));
        for (var i = 0; i < means.Length; i++)
        {
            if (float.IsFinite(means[i]))
            {
                model.Finish(results[i]);
                Assert.Equal([64 * means[i], 64 * means[i], 64 * (1 + means[i]), 64 * (1 + means[i]), 0.5f], results[i]);
            }
            else
            {
                Assert.Equal(Reasons.VectorNotFinite, Assert.Throws<Fault>(() => model.Finish(results[i])).Reason);
            }
        }
    }

    [Fact]
    public void Neighbours_that_change_an_output_bring_the_batch_down_to_one()
    {
        // A score moves with the brightest pixel of the batch, by less than a cosine would show among many scores.
        var graph = new GraphBuilder("mixing");
        var input = graph.Input("input", TemporaryModels.Float, 0, 3, 64, 64);
        var all = graph.Node("ReduceMax", [input], Attributes.Int("keepdims", 0));
        var moved = graph.Node("Mul", [all, graph.Floats([1e-3f, .. new float[999]], 1, 1000, 1)]);
        var zero = graph.Node(
            "Reshape",
            [
                graph.Node("Mul", [graph.Node("ReduceMean", [input], Attributes.Ints("axes", 1, 2, 3)), graph.Floats([0], 1)]),
                graph.Longs([-1, 1, 1], 3),
            ]);
        var scores = Enumerable.Repeat(0.5f, 1000).ToArray();
        graph.Node("Add", [graph.Node("Add", [moved, graph.Floats(scores, 1, 1000, 1)]), zero], ["scores"]);
        graph.Node("Add", [zero, graph.Floats(new float[4000], 1, 1000, 4)], ["boxes"]);
        graph.Output("scores", TemporaryModels.Float, 0, 1000, 1);
        graph.Output("boxes", TemporaryModels.Float, 0, 1000, 4);
        using var model = Load(Spec(BoxCoding.Corners), Small, graph.Build());
        Assert.Equal(1, model.MaxBatch);
        Assert.Contains("output scores depends on the neighbours in a batch", Assert.Single(model.Notices), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(5, 4, "its outputs of boxes must have 4 rows together of at least 4 values; got boxes [4, 5]", true)]
    [InlineData(3, 4, "its outputs of boxes must have 4 rows together of at least 4 values; got boxes [4, 3]", false)]
    [InlineData(4, 3, "its outputs of scores must have 4 rows together of 1 or 2 values; got scores [3, 1]", false)]
    public void Outputs_of_other_sizes_are_refused(int columns, int scores, string reason, bool works)
    {
        var path = _models.Save(
            Graph(Small, [new("scores", new float[scores], 1), new("boxes", new float[4 * columns], columns)]),
            Manifest(ModelKind.Detector, Small) with { Detector = Spec(BoxCoding.Corners) });
        if (works)
        {
            ModelLoader.Load(path, new()).Dispose();
            return;
        }
        Assert.Equal("test.onnx: " + reason, Assert.Throws<ModelException>(() => ModelLoader.Load(path, new())).Message);
    }

    [Fact]
    public void Grids_that_do_not_fit_the_outputs_are_named()
    {
        var path = _models.Save(
            Graph(Small, [new("scores", new float[64], 1), new("boxes", new float[256], 4)]),
            Manifest(ModelKind.Detector, Small) with { Detector = Spec(BoxCoding.Distances, [8, 16]) });
        Assert.Equal(
            "test.onnx: its outputs of scores must have 80 rows together (8 x 8 cells x 1, 4 x 4 cells x 1) of 1 or 2 values; got scores [64, 1]",
            Assert.Throws<ModelException>(() => ModelLoader.Load(path, new())).Message);
    }

    [Fact]
    public void An_output_that_does_not_exist_is_named()
    {
        var path = _models.Save(
            Graph(Small, [new("confidences", [0.5f], 1), new("boxes", new float[4], 4)]),
            Manifest(ModelKind.Detector, Small) with { Detector = Spec(BoxCoding.Corners) });
        Assert.Equal(
            "test.onnx: has no output scores; its outputs are confidences, boxes",
            Assert.Throws<ModelException>(() => ModelLoader.Load(path, new())).Message);
    }

    [Fact]
    public void A_detector_with_the_manifest_of_an_image_model_is_told_what_it_needs()
    {
        var path = _models.Save(
            Graph(Small, [new("scores", [0.5f], 1), new("boxes", new float[4], 4)]), TemporaryModels.Manifest(64, 64, 4));
        var message = Assert.Throws<ModelException>(() => ModelLoader.Load(path, new())).Message;
        Assert.Contains("2 outputs (scores, boxes)", message, StringComparison.Ordinal);
        Assert.Contains("kind must be detector", message, StringComparison.Ordinal);
    }

    private static DetectorSpec Spec(BoxCoding boxes, int[]? strides = null, int[]? anchors = null) => new()
    {
        Boxes = boxes,
        Strides = strides ?? [],
        Anchors = anchors ?? [],
        Outputs = new() { Scores = ["scores"], Boxes = ["boxes"] },
        Nms = 0.4f,
        MinConfidence = 0.65f,
        MinFace = 20,
        MaxFace = 60,
    };

    private EmbeddingSession Load(DetectorSpec spec, InputSpec input, ModelProto graph) =>
        _models.Load(graph, Manifest(ModelKind.Detector, input) with { Detector = spec });

    // The candidates are the same for every item of a batch, and alone.
    private float[] Detect(DetectorSpec spec, InputSpec input, FixedOutput[] outputs, bool flat = false)
    {
        using var model = Load(spec, input, Graph(input, outputs, flat));
        Assert.Equal(flat ? 1 : 4, model.MaxBatch);
        var results = Run(model, model.MaxBatch);
        Assert.All(results, result => Assert.Equal(results[0], result));
        Assert.Equal(results[0], Run(model, 1)[0]);
        return results[0];
    }

    private static float[][] Run(EmbeddingSession model, int count)
    {
        using var tensor = model.CreateTensor();
        for (var i = 0; i < count; i++)
        {
            tensor.Item(i).Clear();
        }
        model.Run(0, tensor, 0, count);
        return [.. Enumerable.Range(0, count).Select(i =>
        {
            var result = tensor.TakeResult(i);
            model.Finish(result);
            return result;
        })];
    }
}
