using Embeddings.V1;
using Google.Protobuf;

namespace Embeddings.Client.Tests;

public sealed class VectorExtensionsTests
{
    private static readonly float[] Values = [0.25f, -1, float.MaxValue, 0];

    // 0.25, -1, the largest number, and 0, as the contract says: the lowest byte first.
    private static readonly ByteString Bytes = ByteString.CopyFrom(Convert.FromHexString("0000803E000080BFFFFF7F7F00000000"));

    [Fact]
    public void AVectorIsReadFromNumbersAndFromBytes()
    {
        Assert.Equal(Values, new Embedding { Values = { Values } }.GetVector().ToArray());
        Assert.Equal(Values, new Embedding { ValuesF32 = Bytes }.GetVector().ToArray());
        Assert.Equal(Values, new VectorPoint { Vector = { Values } }.GetVector().ToArray());
        Assert.Equal(Values, new VectorPoint { VectorF32 = Bytes }.GetVector().ToArray());
        Assert.True(new VectorPoint().GetVector().IsEmpty);
    }

    [Fact]
    public void AVectorIsWrittenAsBytesInsteadOfNumbers()
    {
        var point = new VectorPoint { PointId = "p", Vector = { 1, 2 } };
        var query = new QueryVector { Values = { 1, 2 } };

        point.SetVector(Values);
        query.SetVector(Values);

        Assert.Equal(new VectorPoint { PointId = "p", VectorF32 = Bytes }, point);
        Assert.Equal(new QueryVector { ValuesF32 = Bytes }, query);
    }

    [Fact]
    public void AVectorIsReadWithoutACopy()
    {
        var point = new VectorPoint { Vector = { Values } };
        var vector = point.GetVector();

        point.Vector[0] = 7;

        Assert.Equal(7, vector[0]);
    }
}
