using Embeddings.Primitives.Numerics;

namespace Embeddings.Storage.Sqlite.Approximate;

/// <summary>
/// Vectors of a graph: the codes of the collection's index, as signed bytes, so that nothing is encoded twice. Each vector has a scale of
/// its own; the cosine of two vectors does not depend on their scales.
/// </summary>
internal static class GraphCodes
{
    /// <summary>The most dimensions of a graph: with more, sums of products of codes could exceed 32 bits.</summary>
    public const int MaxDimension = 65_536;

    /// <summary>Copies the codes of a row.</summary>
    public static unsafe void Copy(CodeSegments vectors, int slot, Span<sbyte> codes)
    {
        var row = new ReadOnlySpan<byte>(vectors.Codes(slot), codes.Length);
        for (var i = 0; i < row.Length; i++)
        {
            codes[i] = (sbyte)(row[i] - ByteCodes.RowBias);
        }
    }

    /// <summary>Encodes a vector as the rows are encoded.</summary>
    public static sbyte[] Encode(ReadOnlySpan<float> vector)
    {
        var stride = ByteCodes.Stride(vector.Length);
        var bytes = new byte[stride];
        CodeSegments.TryEncode(vector, new float[stride], bytes, out _, out _);
        return Array.ConvertAll(bytes[..vector.Length], static code => (sbyte)(code - ByteCodes.RowBias));
    }
}
