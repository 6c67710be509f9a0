using Embeddings.Core.Models;
using Embeddings.Tooling.Onnx;
using Google.Protobuf;

namespace Embeddings.Core.Tests.Models;

public sealed class ExternalFilesTests : IDisposable
{
    private const int GraphInitializer = 5;
    private const int TensorRawData = 9;

    private readonly string _path = Path.GetTempFileName();

    public void Dispose() => File.Delete(_path);

    [Fact]
    public void Tensor_data_of_several_gigabytes_is_skipped_without_being_read()
    {
        const long Bytes = 5L << 30;
        var external = new TensorProto { Name = "w", DataLocation = TensorProto.Types.DataLocation.External };
        external.ExternalData.Add(new StringStringEntryProto { Key = "offset", Value = "0" });
        external.ExternalData.Add(new StringStringEntryProto { Key = "location", Value = "weights.data" });
        var tail = Message(GraphInitializer, external.ToByteArray());
        var data = Header(TensorRawData, Bytes);
        var tensor = Header(GraphInitializer, data.Length + Bytes);
        var graph = Header(ModelProto.GraphFieldNumber, tensor.Length + data.Length + Bytes + tail.Length);
        using (var stream = File.Create(_path))
        {
            stream.Write([.. graph, .. tensor, .. data]);
            // Sparse: the file takes a few blocks on disk.
            stream.Position += Bytes;
            stream.Write(tail);
        }

        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Equal(["weights.data"], ExternalFiles.Of(_path));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    [Fact]
    public void A_truncated_or_nonsensical_file_is_refused()
    {
        var model = Message(ModelProto.GraphFieldNumber, Message(GraphInitializer, Message(TensorRawData, new byte[100])));
        for (var length = 1; length < model.Length; length++)
        {
            File.WriteAllBytes(_path, model[..length]);
            Assert.Throws<InvalidDataException>(() => ExternalFiles.Of(_path));
        }
        File.WriteAllBytes(_path, "this is not protobuf"u8);
        Assert.Throws<InvalidDataException>(() => ExternalFiles.Of(_path));
    }

    private static byte[] Message(int field, byte[] content) => [.. Header(field, content.Length), .. content];

    private static byte[] Header(int field, long length)
    {
        using var stream = new MemoryStream();
        using (var output = new CodedOutputStream(stream, leaveOpen: true))
        {
            output.WriteTag(field, WireFormat.WireType.LengthDelimited);
            output.WriteUInt64((ulong)length);
        }
        return stream.ToArray();
    }
}
