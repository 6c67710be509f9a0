using Embeddings.Core.Inference;
using Embeddings.Core.Models;
using Embeddings.Testing;
using Embeddings.Testing.Models;
using static Embeddings.Testing.Models.FixedOutputs;

namespace Embeddings.Core.Tests.Inference;

/// <summary>Landmark, liveness and pose models.</summary>
public sealed class FaceDecoderTests : IDisposable
{
    private static readonly InputSpec Gray = new() { Width = 8, Height = 8, ColorOrder = ColorOrder.Gray, Mean = [0], Std = [256] };
    private static readonly InputSpec Color = new() { Width = 8, Height = 8 };

    private readonly TemporaryModels _models = new();

    public void Dispose() => _models.Dispose();

    [Fact]
    public void Landmarks_become_five_points_in_shares_of_the_input()
    {
        var spec = new LandmarksSpec { Output = "points", Scale = 8, Points = [[0, 1], [2], [3], [4, 5], [0, 2, 4]] };
        var manifest = Manifest(ModelKind.Landmarks, Gray) with { Landmarks = spec };
        using var model = _models.Load(Graph(Gray, [new("points", [0, 2, 4, 2, 6, 2, 4, 4, 2, 6, 6, 6], 2, Factor: 8)]), manifest);
        Assert.Equal([0.25f, 0.25f, 0.75f, 0.25f, 0.5f, 0.5f, 0.5f, 0.75f, 1 / 3f, 10 / 24f], Result(model, 0), Close);
        Assert.Equal(0.75f, Result(model, 0.5f)[0], 1e-6f);
    }

    [Fact]
    public void Liveness_is_the_probability_of_one_class()
    {
        var spec = new LivenessSpec { LiveClass = 1 };
        var manifest = Manifest(ModelKind.Liveness, Color) with { Liveness = spec };
        using var model = _models.Load(Graph(Color, [new("classes", [1, 2, 0], 3)]), manifest);
        Assert.Equal([(float)(Math.E * Math.E / (1 + Math.E + (Math.E * Math.E)))], Result(model, 0), Close);
        // Logits that overflow an exponential.
        using var certain = _models.Load(Graph(Color, [new("classes", [0, 1000, 999], 3)]), manifest);
        Assert.Equal([(float)(1 / (1 + Math.Exp(-1)))], Result(certain, 0), Close);
    }

    [Fact]
    public void Pose_is_the_mean_angle_of_the_bins_with_the_signs_of_the_contract()
    {
        var spec = new PoseSpec { Yaw = "y", Pitch = "p", Roll = "r", FirstBin = -99, BinSize = 3, Signs = [-1, 1, 1] };
        var manifest = Manifest(ModelKind.Pose, Color) with { Pose = spec };
        float[] Bins(params int[] bins)
        {
            var logits = new float[66];
            Array.Fill(logits, -200f);
            foreach (var bin in bins)
            {
                logits[bin] = 3;
            }
            return logits;
        }
        using var model = _models.Load(
            Graph(Color, [new("r", Bins(0), 66), new("y", Bins(40), 66), new("p", Bins(33, 36), 66)]), manifest);
        Assert.Equal([-21, 4.5f, -99], Result(model, 0), Close);
    }

    [Fact]
    public void Outputs_that_do_not_fit_are_refused()
    {
        var landmarks = Manifest(ModelKind.Landmarks, Color) with { Landmarks = new() { Points = [[0], [1], [2], [3], [68]] } };
        Assert.Equal(
            "test.onnx: output points must have x and y of landmarks 0 to 68, an even number of at least 138 values; got 136",
            Refused(landmarks, new FixedOutput("points", new float[136], 136)));
        var liveness = Manifest(ModelKind.Liveness, Color) with { Liveness = new() { LiveClass = 3 } };
        Assert.Equal(
            "test.onnx: output classes must have one value for each class, 4 to 1,000; got 3",
            Refused(liveness, new FixedOutput("classes", new float[3], 3)));
        Assert.Contains(
            "2 outputs (a, b); the manifest's liveness.output must name one",
            Refused(liveness, new FixedOutput("a", [1], 1), new FixedOutput("b", [1], 1)),
            StringComparison.Ordinal);
        var pose = Manifest(ModelKind.Pose, Color) with { Pose = new() { Yaw = "y", Pitch = "p", Roll = "r", FirstBin = 0, BinSize = 1 } };
        Assert.Equal(
            "test.onnx: output p must have one value for each bin, 2 to 1,000; got 1",
            Refused(pose, new("y", [1, 2], 2), new("p", [1], 1), new("r", [1, 2], 2)));
    }

    private static bool Close(float left, float right) => MathF.Abs(left - right) < 1e-4f;

    private static float[] Result(EmbeddingSession model, float pixel)
    {
        using var tensor = model.CreateTensor();
        tensor.Item(0).Fill(pixel);
        model.Run(0, tensor, 0, 1);
        var result = tensor.TakeResult(0);
        model.Finish(result);
        return result;
    }

    private string Refused(ModelManifest manifest, params FixedOutput[] outputs) =>
        Assert.Throws<ModelException>(() => ModelLoader.Load(_models.Save(Graph(manifest.Input, outputs), manifest), new())).Message;
}
