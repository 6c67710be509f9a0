using Embeddings.Core;
using Embeddings.Core.Inference;
using Embeddings.Core.Models;
using Embeddings.Testing;
using Embeddings.Testing.Models;
using Embeddings.Tooling.Models.Adding;
using Embeddings.Tooling.Onnx;

namespace Embeddings.Tooling.Tests.Models.Adding;

public sealed class ModelAdderTests : IDisposable
{
    private readonly TemporaryModels _models = new();

    private string Target => Path.Combine(_models.Folder, "to");

    public void Dispose() => _models.Dispose();

    [Fact]
    public void A_model_and_its_manifest_are_written_and_nothing_else()
    {
        var added = ModelAdder.Add(Request(TemporaryModels.ChannelMeans(224, 224), "imagenet-torchvision") with { Name = "my-model", Licence = "MIT" });
        Assert.Equal(["my-model.json", "my-model.onnx"], Files());
        Assert.Empty(Directory.GetDirectories(Target));
        var manifest = ManifestFile.Read(Path.Combine(Target, "my-model.json"));
        Assert.Equal((3, ResizeMode.CenterCrop, 256, "MIT"), (manifest.Dimension, manifest.Input.Resize, manifest.Input.ResizeTo, manifest.Licence));
        Assert.Equal((32, false), (added.MaxBatch, manifest.UnitLength));
        using var model = ModelLoader.Load(added.File, new());
        Assert.Equal(added.Fingerprint, model.Model.Fingerprint);
    }

    [Fact]
    public void Options_override_the_preset_and_the_graph_overrides_both()
    {
        var request = Request(TemporaryModels.ChannelMeans(256, 128), "imagenet-torchvision") with { Resize = ResizeMode.Stretch, ColorOrder = ColorOrder.Bgr };
        var input = ModelAdder.Add(request).Manifest.Input;
        Assert.Equal((128, 256, ResizeMode.Stretch, 0, ColorOrder.Bgr), (input.Width, input.Height, input.Resize, input.ResizeTo, input.ColorOrder));
        Assert.Equal(123.675f, input.Mean[0]);
        Assert.Equal(293, ModelAdder.Add(Request(TemporaryModels.ChannelMeans(256, 256), "imagenet-torchvision") with { Name = "other" }).Manifest.Input.ResizeTo);
    }

    [Fact]
    public void The_size_at_which_JPEG_files_are_decoded_is_written()
    {
        var request = Request(TemporaryModels.ChannelMeans(224, 224), "imagenet-torchvision");
        var scaled = ModelAdder.Add(request with { Name = "scaled" });
        var full = ModelAdder.Add(request with { Name = "full", Decode = DecodeMode.Full });
        Assert.Equal((DecodeMode.Scaled, DecodeMode.Full), (scaled.Manifest.Input.Decode, full.Manifest.Input.Decode));
        Assert.NotEqual(scaled.Fingerprint, full.Fingerprint);
        Assert.Contains("\"decode\": \"scaled\"", File.ReadAllText(Path.Combine(Target, "scaled.json")), StringComparison.Ordinal);
    }

    [Fact]
    public void Without_a_preset_missing_values_are_errors()
    {
        var refused = Refused(Request(TemporaryModels.ChannelMeans(8, 8), null) with { Kind = ModelKind.Image });
        Assert.Contains("--preset or --color-order, --mean, --std", refused, StringComparison.Ordinal);
        Assert.Contains("insightface-arcface", refused, StringComparison.Ordinal);
        var added = ModelAdder.Add(Request(TemporaryModels.ChannelMeans(8, 8), null) with
        {
            Kind = ModelKind.Image,
            ColorOrder = ColorOrder.Rgb,
            Mean = [0, 0, 0],
            Std = [255, 255, 255],
        });
        Assert.Equal(255, added.Manifest.Input.Std[1]);
        Assert.Contains("Preset 'nonsense' does not exist", Refused(Request(TemporaryModels.ChannelMeans(8, 8), "nonsense")), StringComparison.Ordinal);
    }

    [Fact]
    public void Values_on_the_wrong_scale_are_refused() =>
        Assert.Contains("Multiply both by 255", Refused(Request(TemporaryModels.ChannelMeans(8, 8), null) with
        {
            Kind = ModelKind.Image,
            ColorOrder = ColorOrder.Rgb,
            Mean = [0.485f, 0.456f, 0.406f],
            Std = [0.229f, 0.224f, 0.225f],
        }), StringComparison.Ordinal);

    [Fact]
    public void A_graph_that_normalizes_its_input_is_not_normalized_twice()
    {
        Assert.Contains("Sub, Mul", Refused(Request(Normalizing(), "insightface-arcface")), StringComparison.Ordinal);
        var added = ModelAdder.Add(Request(Normalizing(), "insightface-mxnet"));
        Assert.Equal((0, 1, true), (added.Manifest.Input.Mean[0], added.Manifest.Input.Std[0], added.Manifest.UnitLength));
        Assert.Contains("does not normalize", Refused(Request(TemporaryModels.ChannelMeans(112, 112), "insightface-mxnet")), StringComparison.Ordinal);
    }

    [Fact]
    public void A_graph_of_dynamic_size_requires_a_size()
    {
        var any = TemporaryModels.ChannelMeans(0, 0);
        var flags = Request(any, null) with { Kind = ModelKind.Image, ColorOrder = ColorOrder.Rgb, Mean = [0, 0, 0], Std = [1, 1, 1] };
        Assert.Contains("--size", Refused(flags), StringComparison.Ordinal);
        Assert.Equal(40, ModelAdder.Add(flags with { Size = (40, 30) }).Manifest.Input.Width);
        Assert.Equal(224, ModelAdder.Add(Request(any, "clip-openai") with { Name = "other" }).Manifest.Input.Width);
    }

    [Fact]
    public void Classifiers_and_detectors_are_refused_with_the_reason()
    {
        var refused = Refused(Request(Classifier(), "imagenet-torchvision"));
        Assert.Contains("classifier", refused, StringComparison.Ordinal);
        Assert.Contains("--output map ", refused, StringComparison.Ordinal);

        var graph = new GraphBuilder("boxes");
        var input = graph.Input("input", TemporaryModels.Float, 1, 3, 8, 8);
        graph.Node("Reshape", [input, graph.Longs([1, 48, 4], 3)], ["boxes"]);
        graph.Output("boxes", TemporaryModels.Float, 1, 48, 4);
        Assert.Contains("detector", Refused(Request(graph.Build(), "imagenet-torchvision")), StringComparison.Ordinal);
        Assert.False(Directory.Exists(Target) && Files().Length > 0);
    }

    [Fact]
    public void An_inner_tensor_is_selected_and_pooled()
    {
        var added = ModelAdder.Add(Request(Classifier(), "imagenet-torchvision") with { Output = "map" });
        Assert.Equal(3, added.Manifest.Dimension);
        using var model = ModelLoader.Load(added.File, new());
        using var tensor = model.CreateTensor();
        tensor.Item(0).Fill(2);
        tensor.Item(0)[..64].Fill(5);
        model.Run(0, tensor, 0, 1);
        Assert.Equal([5, 2, 2], tensor.Vector(0).ToArray());
        Assert.DoesNotContain(OnnxFile.Load(added.File).Graph.Node, node => node.OpType == "Softmax");
        Assert.Contains("no tensor 'nonsense'", Refused(Request(Classifier(), "imagenet-torchvision") with { Output = "nonsense" }), StringComparison.Ordinal);
    }

    [Fact]
    public void An_existing_model_is_replaced_only_with_the_option()
    {
        var request = Request(TemporaryModels.ChannelMeans(8, 8), "imagenet-torchvision");
        ModelAdder.Add(request);
        Assert.Contains("already", Refused(request), StringComparison.Ordinal);
        ModelAdder.Add(request with { Replace = true, Licence = "MIT" });
        Assert.Equal("MIT", ManifestFile.Read(Path.Combine(Target, "test.json")).Licence);
    }

    [Theory]
    [InlineData("../outside")]
    [InlineData(".hidden")]
    [InlineData("")]
    public void An_invalid_name_is_refused(string name) =>
        Assert.Contains("name", Refused(Request(TemporaryModels.ChannelMeans(8, 8), "imagenet-torchvision") with { Name = name }), StringComparison.Ordinal);

    private AddRequest Request(ModelProto model, string? preset)
    {
        var file = Path.Combine(_models.Folder, "test.onnx");
        OnnxFile.Save(model, file);
        return new() { File = file, Directory = Target, Preset = preset };
    }

    private string[] Files() => [.. Directory.GetFiles(Target).Select(Path.GetFileName).Order(StringComparer.Ordinal)!];

    private static string Refused(AddRequest request) =>
        Assert.Throws<ModelException>(() => ModelAdder.Add(request)).Message;

    private static ModelProto Normalizing()
    {
        var graph = new GraphBuilder("normalizes");
        var input = graph.Input("data", TemporaryModels.Float, 0, 3, 112, 112);
        var scaled = graph.Node("Mul", [graph.Node("Sub", [input, graph.Floats([127.5f], 1)]), graph.Floats([0.0078125f], 1)]);
        graph.Node("Flatten", [graph.Node("GlobalAveragePool", [scaled])], ["fc1"]);
        graph.Output("fc1", TemporaryModels.Float, 0, 3);
        return graph.Build();
    }

    private static ModelProto Classifier()
    {
        var graph = new GraphBuilder("classifier");
        var input = graph.Input("input", TemporaryModels.Float, 0, 3, 8, 8);
        graph.Node("Relu", [input], ["map"]);
        var scores = graph.Node("Conv", ["map", graph.Floats(new float[15], 5, 3, 1, 1)]);
        graph.Node("Softmax", [graph.Node("Flatten", [graph.Node("GlobalAveragePool", [scores])])], ["output"], Attributes.Int("axis", 1));
        graph.Output("output", TemporaryModels.Float, 0, 5);
        return graph.Build();
    }
}
