using System.Text.Json.Nodes;
using Embeddings.Primitives;
using Embeddings.Testing;
using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant.Tests;

public sealed class AttributeValuesTests
{
    [Theory]
    [InlineData("""{"a":1,"b":-2.5,"c":true,"d":null,"e":[],"f":{},"g":[1,[2,{"h":"x"}]],"":"y","q\"\\%":1}""")]
    [InlineData("""{"big":9007199254740993,"huge":1e300,"tiny":5e-324,"max":9223372036854775807}""")]
    [InlineData("""{"$json":1}""")]
    [InlineData("""{"a":{"$json":"{}"}}""")]
    [InlineData("""{"a":{"$json":5,"b":[{"$json":""}]}}""")]
    public void Attributes_are_restored(string json)
    {
        var attributes = JsonNode.Parse(json)!.AsObject();
        var back = AttributeValues.ToJson(AttributeValues.ToValue(attributes).StructValue);
        Assert.True(JsonNode.DeepEquals(attributes, back), back.ToJsonString());
    }

    [Theory]
    [InlineData(32)]
    [InlineData(200)]
    public void Deep_attributes_are_restored_and_within_the_depth_limit_of_readers(int depth)
    {
        JsonNode node = JsonValue.Create(1);
        for (var i = 0; i < depth; i++)
        {
            node = i % 2 == 0 ? new JsonObject { ["k"] = node } : new JsonArray(node);
        }
        var attributes = new JsonObject { ["deep"] = node, ["flat"] = 1 };
        var value = AttributeValues.ToValue(attributes);
        var point = new RetrievedPoint { Payload = { ["attributes"] = value } };
        var read = GetResponse.Parser.ParseFrom(Bytes(new GetResponse { Result = { point } }));
        Assert.True(JsonNode.DeepEquals(attributes, AttributeValues.ToJson(read.Result[0].Payload["attributes"].StructValue)));
        Assert.Equal(1, value.StructValue.Fields["flat"].IntegerValue);
    }

    [Fact]
    public void Whole_numbers_are_integers_and_other_numbers_doubles()
    {
        var attributes = new JsonObject { ["a"] = 3.0, ["b"] = 3.5, ["c"] = -0.0, ["d"] = 1e20, ["e"] = 7L, ["f"] = 1.5f };
        var fields = AttributeValues.ToValue(attributes).StructValue.Fields;
        Assert.Equal(3, fields["a"].IntegerValue);
        Assert.Equal(3.5, fields["b"].DoubleValue);
        Assert.True(fields["c"].HasDoubleValue && double.IsNegative(fields["c"].DoubleValue));
        Assert.Equal(1e20, fields["d"].DoubleValue);
        Assert.Equal(7, fields["e"].IntegerValue);
        Assert.Equal(1.5, fields["f"].DoubleValue);
    }

    [Fact]
    public void NaN_is_rejected()
    {
        var fault = Assert.Throws<Fault>(() => AttributeValues.ToValue(new JsonObject { ["a"] = double.NaN }));
        Assert.Equal((FaultKind.InvalidArgument, "payload.attributes"), (fault.Kind, fault.Field));
    }

    private static byte[] Bytes(GetResponse response)
    {
        using var stream = new MemoryStream();
        Google.Protobuf.MessageExtensions.WriteTo(response, stream);
        return stream.ToArray();
    }
}
