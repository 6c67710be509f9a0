using Embeddings.Core.Models;
using Embeddings.Testing;
using Embeddings.Tooling.Onnx;

namespace Embeddings.Tooling.Tests.Onnx;

public sealed class OnnxFileTests
{
    [Fact]
    public void Written_models_are_read_unchanged()
    {
        var graph = new GraphBuilder("g", opset: 15);
        var input = graph.Input("input.1", TensorProto.Types.DataType.Float, 0, 3, 4, -1);
        graph.Node("Conv", [input, graph.Floats([1, 2, 3], 1, 3, 1, 1)], ["516"], Attributes.Ints("strides", 2, 2), Attributes.Text("auto_pad", "VALID"));
        graph.Output("516", TensorProto.Types.DataType.Float, 0, 1, 2);
        var model = graph.Build();
        var read = OnnxFile.Load(new MemoryStream(OnnxFile.ToBytes(model)));
        Assert.Equal(model, read);
        Assert.Equal(15, Assert.Single(read.OpsetImport).Version);
        var dims = Assert.Single(read.Graph.Input).Type.TensorType.Shape.Dim;
        Assert.Equal("batch", dims[0].DimParam);
        Assert.Equal(4, dims[2].DimValue);
        Assert.Equal("d3", dims[3].DimParam);
        Assert.Equal([2, 2], read.Graph.Node[0].Attribute[0].Ints);
        Assert.Equal(12, read.Graph.Initializer[0].RawData.Length);
    }

    [Fact]
    public void The_model_built_does_not_change_with_later_calls()
    {
        var graph = new GraphBuilder("g");
        graph.Input("x", TensorProto.Types.DataType.Float, 0, 1);
        var before = graph.Build();
        graph.Node("Relu", ["x"]);
        Assert.Empty(before.Graph.Node);
        Assert.Single(graph.Build().Graph.Node);
    }

    [Fact]
    public void Values_and_shape_must_agree() =>
        Assert.Throws<ArgumentException>(() => Tensors.Floats("t", [1, 2, 3], 2, 2));

    [Theory]
    [InlineData("")]
    [InlineData("not a model at all")]
    public void A_file_that_is_not_a_model_is_refused(string text) =>
        Assert.Throws<InvalidDataException>(() => OnnxFile.Load(new MemoryStream(System.Text.Encoding.UTF8.GetBytes(text))));

    [MaterialFact]
    public void Real_files_are_read_and_written_without_loss()
    {
        foreach (var path in Directory.GetFiles(Material.Path("models"), "*.onnx"))
        {
            var model = OnnxFile.Load(path);
            Assert.NotEmpty(model.Graph.Node);
            Assert.True(model.Graph.Output.Count > 0 && model.OpsetImport.Count > 0);
            // Field order and packing can differ, but not the content.
            Assert.Equal(model, OnnxFile.Load(new MemoryStream(OnnxFile.ToBytes(model))));
            Assert.Equal(new FileInfo(path).Length, OnnxFile.ToBytes(model).Length);
        }
        var rfb = OnnxFile.Load(Material.Path("models", "version-RFB-320.onnx")).Graph;
        Assert.Equal(rfb.Initializer.Count + 1, rfb.Input.Count);
    }
}
