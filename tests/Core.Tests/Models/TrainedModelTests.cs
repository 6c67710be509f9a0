using System.Text;
using Embeddings.Core.Inference;
using Embeddings.Core.Models;
using Embeddings.Models.Maker;
using Embeddings.Testing;
using Embeddings.Tooling.Models.Inspection;

namespace Embeddings.Core.Tests.Models;

/// <summary>The default and optional models against the published files they are made from.</summary>
public sealed class TrainedModelTests
{
    private const int Images = 12;

    private static readonly string[] Names = ["resnet18", "mobilefacenet", "ultraface", "landmarks68", "liveness", "pose"];

    private static readonly InferenceOptions Full = new() { ProbeBatch = 0 };

    [TrainedModelsFact]
    public void The_files_are_what_the_sources_make_and_the_same_every_time()
    {
        foreach (var _ in (int[])[1, 2])
        {
            foreach (var model in Make())
            {
                Assert.Equal(model.Graph.ToArray(), File.ReadAllBytes(PathOf(model.Name)));
                Assert.Equal(model.Name == "resnet18", model.Data is not null);
                if (model.Data is { } data)
                {
                    Assert.True(data.Span.SequenceEqual(File.ReadAllBytes(PathOf(model.Name) + ".data")));
                }
                Assert.Equal(model.Manifest, File.ReadAllText(ManifestOf(model.Name)));
            }
        }
    }

    [TrainedModelsFact]
    public void The_fingerprints_are_the_same_on_every_machine()
    {
        Assert.Equal("b96f98bcd23d28d53c1b93ab42431e847c9662b44d39543973b9bece801e6ccf", Fingerprint.Of(ManifestFile.Read(ManifestOf("resnet18"))));
        Assert.Equal("30390a74c433d20635e00ac8e52f281cae917c4b6be9c5909fa8a9847727cdd0", Fingerprint.Of(ManifestFile.Read(ManifestOf("mobilefacenet"))));
    }

    [TrainedModelsFact]
    public void The_manifests_are_as_the_server_writes_them_and_say_where_the_weights_come_from()
    {
        foreach (var name in Names)
        {
            var manifest = ManifestFile.Read(ManifestOf(name));
            Assert.Equal(Encoding.UTF8.GetString(ManifestFile.Write(manifest)), File.ReadAllText(ManifestOf(name)));
            Assert.Equal((name, "MIT", manifest.Embeds ? 512 : 0), (manifest.Name, manifest.Licence, manifest.Dimension));
            var package = name == "resnet18" ? "ResNet18 0.23.1" : "faceplugin-face-recognition-js 0.0.1";
            Assert.Contains(package, manifest.Origin, StringComparison.Ordinal);
            Assert.Contains("Permission is hereby granted", File.ReadAllText(Path.ChangeExtension(PathOf(name), ".licence.txt")), StringComparison.Ordinal);
        }
    }

    [TrainedModelsFact]
    public void A_result_is_the_same_whatever_its_batch()
    {
        foreach (var name in Names)
        {
            using var model = ModelLoader.Load(PathOf(name), Full);
            Assert.Empty(model.Notices);
            Batches.AssertIndependent(model);
        }
    }

    [TrainedModelsFact]
    public void ResNet_gives_what_the_published_pair_gives_one_by_one()
    {
        using var model = ModelLoader.Load(TrainedModels.PathOf("resnet18"), Full);
        using var preprocess = new TrialRun(TrainedModels.Source("ResNetPreprocess.onnx"));
        using var network = new TrialRun(TrainedModels.Source("ResNet18.onnx"));
        long[] shape = [1, 3, 224, 224];
        AssertSame(model, image =>
        {
            // The published pair takes red first and swaps by itself; the manifest's order is blue first.
            var plane = image.Length / 3;
            float[] rgb = [.. image.AsSpan(2 * plane, plane), .. image.AsSpan(plane, plane), .. image.AsSpan(0, plane)];
            var (centred, _) = preprocess.Run(rgb, shape, "PreprocessedInput");
            return network.Run(centred, shape, "Pooling395_Output_0").Values;
        });
    }

    [TrainedModelsFact]
    public void MobileFaceNet_gives_what_the_published_file_gives_one_by_one()
    {
        using var model = ModelLoader.Load(TrainedModels.PathOf("mobilefacenet"), Full);
        using var published = new TrialRun(TrainedModels.Source("fr_feature.onnx"));
        AssertSame(model, image => published.Run(image, [1, 3, 112, 112], "output").Values);
    }

    [TrainedModelsFact]
    public void The_others_give_what_the_published_files_give_one_by_one()
    {
        (string Name, string Source, (string From, string To)[] Outputs)[] models =
        [
            ("ultraface", "fr_detect.onnx", [("scores", "scores"), ("boxes", "boxes")]),
            ("landmarks68", "fr_landmark.onnx", [("output", "landmarks")]),
            ("liveness", "fr_liveness.onnx", [("output", "classes")]),
            ("pose", "fr_pose.onnx", [("output", "yaw"), ("617", "pitch"), ("618", "roll")]),
        ];
        foreach (var (name, source, outputs) in models)
        {
            var input = ManifestFile.Read(ManifestOf(name)).Input;
            using var published = new TrialRun(TrainedModels.Source(source));
            using var made = new TrialRun(PathOf(name));
            var images = new float[Images * input.TensorLength];
            for (var i = 0; i < Images; i++)
            {
                ProbeImage.Draw(images.AsSpan(i * input.TensorLength, input.TensorLength), input, i);
            }
            foreach (var (from, to) in outputs)
            {
                var (together, shape) = made.Run(images, [Images, input.Channels, input.Height, input.Width], to);
                Assert.Equal(Images, shape[0]);
                var alone = images.Chunk(input.TensorLength)
                    .Select(image => published.Run(image, [1, input.Channels, input.Height, input.Width], from).Values)
                    .ToArray();
                Batches.AssertEqual(alone, [.. together.Chunk(together.Length / Images)], 1e-5f * alone.Max(values => values.Max(MathF.Abs)));
            }
        }
    }

    [TrainedModelsFact]
    public void Another_file_than_the_expected_one_is_refused()
    {
        var content = File.ReadAllBytes(TrainedModels.Source("fr_feature.onnx"));
        Assert.Same(content, PublishedFile.MobileFaceNet.Check(content));
        content[^1] ^= 1;
        var message = Assert.Throws<InvalidDataException>(() => PublishedFile.MobileFaceNet.Check(content)).Message;
        Assert.Contains("npm faceplugin-face-recognition-js 0.0.1: checksum mismatch of model/fr_feature.onnx: SHA-256 must be 87aacdfe", message, StringComparison.Ordinal);
        Assert.Contains("; got ", message, StringComparison.Ordinal);
    }

    // A hundred-thousandth of the largest value: what another order of summing may change.
    private static void AssertSame(EmbeddingSession model, Func<float[], float[]> published)
    {
        var actual = Batches.Run(model, 0, Images);
        var expected = Enumerable.Range(0, Images).Select(i =>
        {
            var image = new float[model.Manifest.Input.TensorLength];
            ProbeImage.Draw(image, model.Manifest.Input, i);
            return published(image);
        }).ToArray();
        Batches.AssertEqual(expected, actual, 1e-5f * expected.Max(vector => vector.Max(MathF.Abs)));
    }

    private static TrainedModel[] Make() =>
    [
        TrainedModel.ResNet18(File.ReadAllBytes(TrainedModels.Source("ResNetPreprocess.onnx")), File.ReadAllBytes(TrainedModels.Source("ResNet18.onnx"))),
        TrainedModel.MobileFaceNet(File.ReadAllBytes(TrainedModels.Source("fr_feature.onnx"))),
        TrainedModel.UltraFace(File.ReadAllBytes(TrainedModels.Source("fr_detect.onnx"))),
        TrainedModel.Landmarks68(File.ReadAllBytes(TrainedModels.Source("fr_landmark.onnx"))),
        TrainedModel.Liveness(File.ReadAllBytes(TrainedModels.Source("fr_liveness.onnx"))),
        TrainedModel.Pose(File.ReadAllBytes(TrainedModels.Source("fr_pose.onnx"))),
    ];

    private static string PathOf(string name) => TrainedModels.PathOf(name is "liveness" or "pose" ? $"optional/{name}" : name);

    private static string ManifestOf(string name) => Path.ChangeExtension(PathOf(name), ".json");
}
