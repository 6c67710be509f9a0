using Embeddings.Testing;
using Embeddings.Tooling.Models.Inspection;
using Embeddings.Tooling.Onnx;

namespace Embeddings.Tooling.Tests.Models.Inspection;

/// <summary>Runs the light graphs of the ONNX project and compares their official outputs.</summary>
public sealed class LightGraphTests
{
    [MaterialTheory]
    [InlineData("bvlc_alexnet")]
    [InlineData("densenet121")]
    [InlineData("inception_v1")]
    [InlineData("inception_v2")]
    [InlineData("resnet50")]
    [InlineData("shufflenet")]
    [InlineData("squeezenet")]
    [InlineData("vgg19")]
    [InlineData("zfnet512")]
    public void Outputs_are_the_official_ones(string name)
    {
        using var run = new TrialRun(Material.Path("onnx_light", $"light_{name}.onnx"));
        var shape = run.Inputs[0].Shape.Select(size => (long)size).ToArray();
        var length = (int)shape.Aggregate((product, size) => product * size);
        var input = Enumerable.Range(0, length).Select(i => i / (float)length).ToArray();
        var (values, _) = run.Run(input, shape, run.Outputs[0].Name);

        var official = TensorProto.Parser.ParseFrom(File.ReadAllBytes(Material.Path("onnx_light", $"light_{name}_output_0.pb")));
        var expected = official.FloatData.Count > 0
            ? [.. official.FloatData]
            : System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(official.RawData.Span).ToArray();
        Assert.Equal(expected.Length, values.Length);
        Assert.InRange(expected.Zip(values, (left, right) => Math.Abs(left - right)).Max(), 0, 1e-5f);
    }
}
