using System.Buffers;
using Embeddings.Server.Grpc.Admission;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Google.Protobuf.WellKnownTypes;

namespace Embeddings.Server.Tests.Grpc.Admission;

/// <summary>The objects of a message are weighed by its bytes.</summary>
public sealed class MessageShapeTests
{
    private static readonly MessageShape Upserts = MessageShape.Of(V1.UpsertVectorsRequest.Descriptor, []);

    [Fact]
    public void The_weight_is_about_what_the_parsed_message_takes()
    {
        var request = new V1.UpsertVectorsRequest();
        for (var i = 0; i < 2000; i++)
        {
            var attributes = new Struct();
            for (var k = 0; k < 10; k++)
            {
                attributes.Fields[$"key{k}"] = Value.ForString($"value{i}");
            }
            request.Points.Add(new V1.VectorPoint
            {
                PointId = $"{i}",
                Vector = { new float[16] },
                Payload = new() { JobId = "job", Bbox = new(), Attributes = attributes },
            });
        }
        AssertWeight(request.ToByteArray(), 0.5, 2.5);
    }

    [Fact]
    public void Empty_points_and_fields_that_are_not_known_weigh_as_much_as_they_take()
    {
        AssertWeight([.. Enumerable.Repeat<byte[]>([0x12, 0], 9000).SelectMany(bytes => bytes)], 0.8, 2.5);
        var unknown = new MemoryStream();
        using (var output = new CodedOutputStream(unknown, leaveOpen: true))
        {
            for (var i = 0; i < 9000; i++)
            {
                output.WriteTag(1000 + i, WireFormat.WireType.Varint);
                output.WriteInt32(1);
            }
        }
        AssertWeight(unknown.ToArray(), 0.5, 2.5);
    }

    [Fact]
    public void The_weight_ends_at_the_limit() =>
        Assert.InRange(Upserts.Weigh(new([.. Enumerable.Repeat<byte[]>([0x12, 0], 9000).SelectMany(bytes => bytes)]), 1000), 1001, 2000);

    [Theory]
    [InlineData("0AFFFFFFFF7F")]
    [InlineData("07")]
    [InlineData("0B0801")]
    [InlineData("120A01")]
    [InlineData("FFFFFFFFFFFFFFFFFFFFFF")]
    public void A_malformed_message_is_left_to_the_parser(string hex) =>
        Assert.InRange(Upserts.Weigh(new(Convert.FromHexString(hex)), 1000), 0, 1000);

    [Fact]
    public void Messages_with_images_are_found()
    {
        Assert.True(MessageShape.HasImage(V1.StreamEmbedRequest.Descriptor));
        Assert.True(MessageShape.HasImage(V1.IngestFaceRequest.Descriptor));
        Assert.True(MessageShape.HasImage(V1.SearchVectorsRequest.Descriptor));
        Assert.False(MessageShape.HasImage(V1.UpsertVectorsRequest.Descriptor));
        Assert.False(MessageShape.HasImage(V1.StreamUpsertVectorsRequest.Descriptor));
    }

    private static void AssertWeight(byte[] message, double least, double most)
    {
        V1.UpsertVectorsRequest.Parser.ParseFrom(message);
        var before = GC.GetAllocatedBytesForCurrentThread();
        V1.UpsertVectorsRequest.Parser.ParseFrom(message);
        var taken = GC.GetAllocatedBytesForCurrentThread() - before;
        var weight = Upserts.Weigh(new ReadOnlySequence<byte>(message), long.MaxValue) + message.Length;
        Assert.InRange(weight, taken * least, taken * most);
    }
}
