using System.Runtime.InteropServices;
using Embeddings.Core.Inference;
using Embeddings.Core.Models;
using Embeddings.Testing;
using Embeddings.Testing.Models;
using Embeddings.Tooling.Onnx;

namespace Embeddings.Core.Tests.Inference;

public sealed class ModelLoaderTests : IDisposable
{
    private readonly TemporaryModels _models = new();

    public void Dispose() => _models.Dispose();

    [Fact]
    public void A_model_is_found_by_its_file_and_by_its_manifest()
    {
        var path = _models.Save(TemporaryModels.ChannelMeans(5, 7), TemporaryModels.Manifest(7, 5, 3));
        foreach (var either in (string[])[path, Path.ChangeExtension(path, ".json")])
        {
            using var model = ModelLoader.Load(either, new());
            Assert.Equal("test", model.Manifest.Name);
            Assert.Equal(64, model.Model.Fingerprint.Length);
            Assert.Equal("cpu", model.ExecutionProvider);
            Assert.Empty(model.Notices);
        }
    }

    [Fact]
    public void A_file_of_another_content_is_refused()
    {
        var path = _models.Save(TemporaryModels.ChannelMeans(5, 7), TemporaryModels.Manifest(7, 5, 3));
        File.AppendAllBytes(path, [0]);
        Assert.Contains("SHA-256", Refused(path));
        File.Delete(path);
        Assert.Equal("test.onnx: does not exist", Refused(path));
    }

    [Fact]
    public void A_file_that_is_not_a_model_is_refused()
    {
        var source = Path.Combine(_models.Folder, "garbage");
        File.WriteAllBytes(source, "this is not protobuf"u8);
        Assert.Contains("cannot load", Refused(_models.Copy(source, TemporaryModels.Manifest(7, 5, 3))));
    }

    [Theory]
    [InlineData(5, 5, 3, "input input must be [batch, 3, 5, 5] as in the manifest; got [any, 3, 5, 7]")]
    [InlineData(7, 5, 4, "output output must have 4 values as in the manifest; got [any, 3]")]
    public void A_model_that_does_not_fit_its_manifest_is_refused(int width, int height, int dimension, string reason) =>
        Assert.Equal("test.onnx: " + reason, Refused(_models.Save(TemporaryModels.ChannelMeans(5, 7), TemporaryModels.Manifest(width, height, dimension))));

    [Fact]
    public void A_fixed_batch_of_one_runs_one_at_a_time_on_every_processor()
    {
        using var model = _models.Load(TemporaryModels.ChannelMeans(5, 7, batch: 1), TemporaryModels.Manifest(7, 5, 3));
        Assert.Equal(1, model.MaxBatch);
        Assert.Equal(Math.Min(8, Environment.ProcessorCount), Math.Max(model.MultiThreadedRuns, model.SingleThreadedRuns));
        Assert.Contains("fixed", Assert.Single(model.Notices));
        using var tensor = model.CreateTensor();
        Assert.Equal(1, tensor.Capacity);
        tensor.Item(0).Fill(4);
        model.Run(model.MultiThreadedRuns + model.SingleThreadedRuns - 1, tensor, 0, 1);
        Assert.Equal(4, tensor.Vector(0)[1], 1e-5f);
    }

    [Fact]
    public void A_fixed_batch_of_more_runs_with_empty_rows()
    {
        using var model = _models.Load(TemporaryModels.ChannelMeans(4, 4, batch: 4), TemporaryModels.Manifest(4, 4, 3));
        Assert.Equal(4, model.MaxBatch);
        Assert.Contains("fixed at 4", Assert.Single(model.Notices));
        AssertMeans(model);
        using var tensor = model.CreateTensor();
        Assert.Throws<ArgumentOutOfRangeException>(() => tensor.Item(4).Length);
        for (var i = 0; i < 4; i++)
        {
            tensor.Item(i).Fill(i + 1);
            model.Run(0, tensor, i, 1);
            Assert.Equal([i + 1, i + 1, i + 1], tensor.Vector(i).ToArray());
        }
    }

    [Fact]
    public void A_fixed_batch_whose_neighbours_change_a_vector_is_refused() =>
        Assert.Contains("cannot be served", Refused(_models.Save(Turning(4), TemporaryModels.Manifest(8, 8, 3))));

    [Fact]
    public void The_probe_fills_as_large_a_batch_as_is_asked_for()
    {
        // Neighbours beyond the 16th are what changes a vector.
        var graph = new GraphBuilder("late");
        var input = graph.Input("input", TemporaryModels.Float, 0, 3, 8, 8);
        var late = graph.Node("Slice", [input, graph.Longs([16], 1), graph.Longs([long.MaxValue], 1), graph.Longs([0], 1)]);
        var offset = graph.Node("Mul", [graph.Node("ReduceSum", [late], Attributes.Int("keepdims", 0)), graph.Floats([1, 0, 0], 1, 3)]);
        graph.Node("Add", [graph.Node("Flatten", [graph.Node("GlobalAveragePool", [input])]), offset], ["output"]);
        graph.Output("output", TemporaryModels.Float, 0, 3);
        var path = _models.Save(graph.Build(), TemporaryModels.Manifest(8, 8, 3) with { MaxBatch = 32 });
        using (var model = ModelLoader.Load(path, new() { ProbeBatch = 0 }))
        {
            Assert.Equal(1, model.MaxBatch);
        }
        using var hurried = ModelLoader.Load(path, new());
        Assert.Equal(32, hurried.MaxBatch);
    }

    [Fact]
    public void A_graph_that_never_ends_is_refused()
    {
        var body = new GraphBuilder("body");
        body.Input("round", TensorProto.Types.DataType.Int64);
        body.Input("go", TensorProto.Types.DataType.Bool);
        body.Input("value", TemporaryModels.Float, 0, 3);
        body.Node("Identity", ["go"], ["go_on"]);
        body.Node("Add", ["value", body.Floats([1, 1, 1], 1, 3)], ["sum"]);
        body.Output("go_on", TensorProto.Types.DataType.Bool);
        body.Output("sum", TemporaryModels.Float, 0, 3);
        var graph = new GraphBuilder("endless");
        var input = graph.Input("input", TemporaryModels.Float, 0, 3, 4, 4);
        var start = graph.Node("Flatten", [graph.Node("GlobalAveragePool", [input])]);
        var go = graph.Node("Cast", [graph.Longs([1])], Attributes.Int("to", (long)TensorProto.Types.DataType.Bool));
        // No limit on the rounds, and the condition stays true.
        var loop = new AttributeProto { Name = "body", Type = AttributeProto.Types.AttributeType.Graph, G = body.Build().Graph };
        graph.Node("Loop", ["", go, start], ["output"], loop);
        graph.Output("output", TemporaryModels.Float, 0, 3);
        var path = _models.Save(graph.Build(), TemporaryModels.Manifest(4, 4, 3));
        var message = Assert.Throws<ModelException>(
            () => ModelLoader.Load(path, new() { ProbeTimeout = TimeSpan.FromMilliseconds(300) })).Message;
        Assert.StartsWith("test.onnx: ", message);
        Assert.Contains("Inference:ProbeTimeout", message);
    }

    [Theory]
    [InlineData("input.1", "516")]
    [InlineData("data_0", "gpu_0/softmax_1")]
    public void Unusual_names_work(string input, string output)
    {
        using var model = _models.Load(TemporaryModels.ChannelMeans(5, 7, input, output), TemporaryModels.Manifest(7, 5, 3));
        Assert.Equal(8, model.MaxBatch);
    }

    [Fact]
    public void Neighbours_that_change_a_vector_bring_the_batch_down_to_one()
    {
        // The largest value of the whole batch goes into each vector, as with dynamic quantization.
        using var model = _models.Load(Turning(), TemporaryModels.Manifest(8, 8, 3));
        Assert.Equal(1, model.MaxBatch);
        Assert.Contains("neighbours", Assert.Single(model.Notices));
    }

    [Fact]
    public void A_graph_whose_declared_free_batch_does_not_work_runs_one_at_a_time()
    {
        var graph = new GraphBuilder("pretends");
        var input = graph.Input("input", TemporaryModels.Float, 0, 3, 4, 4);
        graph.Node("Reshape", [graph.Node("GlobalAveragePool", [input]), graph.Longs([1, 3], 2)], ["output"]);
        graph.Output("output", TemporaryModels.Float, 0, 3);
        using var model = _models.Load(graph.Build(), TemporaryModels.Manifest(4, 4, 3));
        Assert.Equal(1, model.MaxBatch);
        Assert.Single(model.Notices);
    }

    [Fact]
    public void An_output_declared_for_one_item_and_of_rank_four_works()
    {
        var graph = new GraphBuilder("rank4");
        var input = graph.Input("input", TemporaryModels.Float, 0, 3, 4, 4);
        graph.Node("GlobalAveragePool", [input], ["output"]);
        graph.Output("output", TemporaryModels.Float, 1, 3, 1, 1);
        using var model = _models.Load(graph.Build(), TemporaryModels.Manifest(4, 4, 3));
        Assert.Equal(8, model.MaxBatch);
        AssertMeans(model);
    }

    [Fact]
    public void An_output_whose_first_size_is_not_the_batch_is_copied()
    {
        var graph = new GraphBuilder("flat");
        var input = graph.Input("input", TemporaryModels.Float, 0, 3, 4, 4);
        graph.Node("Reshape", [graph.Node("GlobalAveragePool", [input]), graph.Longs([-1], 1)], ["output"]);
        graph.Output("output", TemporaryModels.Float, 0);
        using var model = _models.Load(graph.Build(), TemporaryModels.Manifest(4, 4, 3));
        Assert.Equal(8, model.MaxBatch);
        AssertMeans(model);
    }

    [Fact]
    public void Float16_is_converted_both_ways()
    {
        var graph = new GraphBuilder("half");
        var input = graph.Input("input", TemporaryModels.Half, 0, 3, 4, 4);
        graph.Node("Flatten", [graph.Node("GlobalAveragePool", [input])], ["output"]);
        graph.Output("output", TemporaryModels.Half, 0, 3);
        using var model = _models.Load(graph.Build(), TemporaryModels.Manifest(4, 4, 3));
        Assert.Equal(8, model.MaxBatch);
        AssertMeans(model);
    }

    [Fact]
    public void Weights_beside_the_file_and_initializers_among_the_inputs_work()
    {
        var graph = new GraphBuilder("external");
        var input = graph.Input("input", TemporaryModels.Float, 0, 3, 4, 4);
        graph.Input("weights", TemporaryModels.Float, 3);
        var weights = new TensorProto { Name = "weights", DataType = (int)TemporaryModels.Float, DataLocation = TensorProto.Types.DataLocation.External };
        weights.Dims.Add(3);
        foreach (var (key, value) in new[] { ("location", "test.onnx.data"), ("offset", "0"), ("length", "12") })
        {
            weights.ExternalData.Add(new StringStringEntryProto { Key = key, Value = value });
        }
        graph.Initializer(weights);
        graph.Node("Mul", [graph.Node("Flatten", [graph.Node("GlobalAveragePool", [input])]), "weights"], ["output"]);
        graph.Output("output", TemporaryModels.Float, 0, 3);
        File.WriteAllBytes(
            Path.Combine(_models.Folder, "test.onnx.data"), MemoryMarshal.AsBytes<float>(new float[] { 1, 2, 3 }));
        using var model = _models.Load(graph.Build(), TemporaryModels.Manifest(4, 4, 3));
        using var tensor = model.CreateTensor();
        tensor.Item(0).Fill(2);
        model.Run(0, tensor, 0, 1);
        Assert.Equal([2, 4, 6], tensor.Vector(0).ToArray());

        var path = Path.Combine(_models.Folder, "test.onnx");
        File.Delete(Path.Combine(_models.Folder, "test.onnx.data"));
        Assert.Equal("test.onnx: its external weight file 'test.onnx.data' does not exist", Refused(path));
        File.WriteAllBytes(Path.Combine(_models.Folder, "test.onnx.data"), MemoryMarshal.AsBytes<float>(new float[] { 1, 2, 4 }));
        Assert.Contains("data_sha256", Refused(path));
        var other = _models.Save(graph.Build(), TemporaryModels.Manifest(4, 4, 3));
        using var changed = ModelLoader.Load(other, new());
        Assert.NotEqual(model.Model.Fingerprint, changed.Model.Fingerprint);
        Assert.Equal(64, changed.Manifest.DataSha256.Length);
    }

    [Theory]
    [InlineData("../secret")]
    [InlineData("/etc/hostname")]
    [InlineData("a/b")]
    public void Weights_outside_the_folder_are_refused(string location)
    {
        var graph = new GraphBuilder("outside");
        var input = graph.Input("input", TemporaryModels.Float, 0, 3, 4, 4);
        var weights = new TensorProto { Name = "weights", DataType = (int)TemporaryModels.Float, DataLocation = TensorProto.Types.DataLocation.External };
        weights.ExternalData.Add(new StringStringEntryProto { Key = "location", Value = location });
        graph.Initializer(weights);
        graph.Node("Mul", [graph.Node("Flatten", [graph.Node("GlobalAveragePool", [input])]), "weights"], ["output"]);
        graph.Output("output", TemporaryModels.Float, 0, 3);
        Assert.Contains("in its own folder", Refused(_models.Save(graph.Build(), TemporaryModels.Manifest(4, 4, 3))));
    }

    [Fact]
    public void Several_outputs_need_a_name()
    {
        var graph = new GraphBuilder("two");
        var input = graph.Input("input", TemporaryModels.Float, 0, 3, 4, 4);
        graph.Node("Flatten", [graph.Node("GlobalAveragePool", [input])], ["mean"]);
        graph.Node("Flatten", [graph.Node("GlobalMaxPool", [input])], ["max"]);
        graph.Output("mean", TemporaryModels.Float, 0, 3);
        graph.Output("max", TemporaryModels.Float, 0, 3);
        var manifest = TemporaryModels.Manifest(4, 4, 3);
        Assert.Contains("2 outputs (mean, max)", Refused(_models.Save(graph.Build(), manifest)));
        Assert.Contains("has no output median; its outputs are mean, max", Refused(_models.Save(graph.Build(), manifest with { Output = "median" })));
        using var model = _models.Load(graph.Build(), manifest with { Output = "max" });
        using var tensor = model.CreateTensor();
        tensor.Item(0).Clear();
        tensor.Item(0)[20] = 7;
        model.Run(0, tensor, 0, 1);
        Assert.Equal([0, 7, 0], tensor.Vector(0).ToArray());
    }

    private static ModelProto Turning(long batch = 0)
    {
        var graph = new GraphBuilder("turning");
        var input = graph.Input("input", TemporaryModels.Float, batch, 3, 8, 8);
        var largest = graph.Node("ReduceMax", [input], Attributes.Int("keepdims", 0));
        var offset = graph.Node("Mul", [largest, graph.Floats([1, 0, 0], 1, 3)]);
        graph.Node("Add", [graph.Node("Flatten", [graph.Node("GlobalAveragePool", [input])]), offset], ["output"]);
        graph.Output("output", TemporaryModels.Float, batch, 3);
        return graph.Build();
    }

    private static void AssertMeans(EmbeddingSession model)
    {
        using var tensor = model.CreateTensor();
        for (var i = 0; i < tensor.Capacity; i++)
        {
            for (var c = 0; c < 3; c++)
            {
                tensor.Item(i).Slice(c * 16, 16).Fill((i * 4) + c);
            }
        }
        model.Run(0, tensor, 0, tensor.Capacity);
        model.Run(0, tensor, tensor.Capacity - 2, 2);
        for (var i = 0; i < tensor.Capacity; i++)
        {
            Assert.Equal([i * 4, (i * 4) + 1, (i * 4) + 2], tensor.Vector(i).ToArray());
        }
    }

    private static string Refused(string path)
    {
        var message = Assert.Throws<ModelException>(() => ModelLoader.Load(path, new())).Message;
        Assert.DoesNotContain('\n', message);
        return message;
    }
}
