using System.Runtime.Intrinsics.X86;
using Embeddings.Primitives.Numerics;

namespace Embeddings.Primitives.Tests.Numerics;

public sealed unsafe class CodeDotsTests
{
    public static TheoryData<int, int, int> Shapes()
    {
        var data = new TheoryData<int, int, int>();
        foreach (var dimension in new[] { 1, 3, 17, 64, 65, 128, 129, 512, 513, 1000 })
        {
            foreach (var rows in new[] { 1, 2, 3, 4, 5, 63, 64 })
            {
                foreach (var queries in new[] { 1, 2, 3, 4, 5, 9 })
                {
                    data.Add(dimension, rows, queries);
                }
            }
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Agrees_with_a_plain_loop(int dimension, int rows, int queries)
    {
        var random = new Random(dimension + rows + queries);
        Check(dimension, rows, queries, () => (byte)random.Next(1, 256), () => (sbyte)random.Next(-CodeDots.QueryLevels, CodeDots.QueryLevels + 1));
    }

    [Theory]
    [InlineData(255, 32)]
    [InlineData(255, -32)]
    [InlineData(1, 32)]
    [InlineData(1, -32)]
    public void The_largest_codes_do_not_overflow(byte row, sbyte query)
    {
        Check(512, 5, 5, () => row, () => query);
        Check(16_384, 5, 5, () => row, () => query);
        // Only modulo 2^32, which is enough since the dot product without the bias fits.
        Check(500_000, 2, 2, () => row, () => query);
    }

    [Fact]
    public void Dot_products_without_bias_fit_into_32_bits()
    {
        foreach (var dimension in new[] { 512, 1 << 19, (1 << 19) + 1, 1 << 20 })
        {
            var stride = ByteCodes.Stride(dimension);
            Assert.InRange((long)ByteCodes.RowLevels * CodeDots.LevelsFor(stride) * dimension, 1, int.MaxValue);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(16)]
    [InlineData(17)]
    [InlineData(512)]
    [InlineData(1000)]
    [InlineData(16_384)]
    public void The_precise_dot_product_is_within_its_error(int dimension)
    {
        var random = new Random(dimension);
        var stride = DotProducts.Stride(dimension);
        using var row = new AlignedBuffer((nuint)ByteCodes.Stride(dimension));
        using var query = AlignedBuffer.ZeroedFloats(stride);
        row.AsSpan<byte>().Fill(ByteCodes.RowBias);
        for (var round = 0; round < 20; round++)
        {
            var (exact, rowNorm, queryNorm) = (0.0, 0.0, 0.0);
            for (var i = 0; i < dimension; i++)
            {
                var (x, y) = (random.Next(-127, 128), (random.NextSingle() - 0.5f) * MathF.Pow(10, random.Next(-3, 3)));
                row.AsSpan<byte>()[i] = (byte)(x + ByteCodes.RowBias);
                query.AsSpan<float>()[i] = y;
                exact += (double)x * y;
                rowNorm += (double)x * x;
                queryNorm += (double)y * y;
            }

            var margin = CodeDots.PreciseError(stride) * Math.Sqrt(rowNorm * queryNorm);
            Assert.InRange(CodeDots.Precise((byte*)row.Address, query.Floats, stride), exact - margin, exact + margin);
            Assert.InRange(CodeDots.PrecisePortable((byte*)row.Address, query.Floats, stride), exact - margin, exact + margin);
        }
    }

    [Theory]
    [InlineData(64, 127)]
    [InlineData(64, 32)]
    [InlineData(512, 127)]
    [InlineData(16_384, 127)]
    [InlineData(1 << 20, 15)]
    public void The_bound_of_the_rounding_error_is_above_it_and_close(int length, int levels)
    {
        var random = new Random(length);
        var codes = new byte[length];
        foreach (var kind in Enumerable.Range(0, 6))
        {
            var vector = new float[length];
            for (var i = 0; i < length; i++)
            {
                vector[i] = kind switch
                {
                    0 => random.NextSingle() - 0.5f,
                    1 => i == 7 ? 1 : 1e-4f * random.NextSingle(),
                    2 => 1 / MathF.Sqrt(length),
                    3 => i % 3 == 0 ? 0 : -random.NextSingle(),
                    4 => i == 0 ? 1 : 0,
                    _ => MathF.Pow(2, -(i % 40)) * (random.Next(2) - 0.5f),
                };
            }

            Assert.True(VectorMath.TryNormalize(vector));
            foreach (var bias in new byte[] { 0, ByteCodes.RowBias })
            {
                var bound = ByteCodes.Encode(vector, levels, bias, codes, out var scale);
                var squares = 0.0;
                for (var i = 0; i < length; i++)
                {
                    var code = unchecked((sbyte)(byte)(codes[i] - bias));
                    Assert.InRange(code, -levels, levels);
                    var difference = vector[i] - ((double)scale * code);
                    squares += difference * difference;
                }

                var error = Math.Sqrt(squares);
                Assert.InRange(bound, error, (error * 1.001) + 1e-7);
            }
        }
    }

    private static void Check(int dimension, int rowCount, int queryCount, Func<byte> row, Func<sbyte> query)
    {
        var stride = ByteCodes.Stride(dimension);
        using var rows = new AlignedBuffer((nuint)(rowCount * stride));
        using var queries = new AlignedBuffer((nuint)(queryCount * stride));
        rows.AsSpan<byte>().Fill(ByteCodes.RowBias);
        queries.AsSpan<byte>().Clear();
        for (var i = 0; i < rowCount * dimension; i++)
        {
            rows.AsSpan<byte>()[(i / dimension * stride) + (i % dimension)] = row();
        }

        for (var i = 0; i < queryCount * dimension; i++)
        {
            queries.AsSpan<sbyte>()[(i / dimension * stride) + (i % dimension)] = query();
        }

        var expected = new int[rowCount * queryCount];
        for (var q = 0; q < queryCount; q++)
        {
            for (var r = 0; r < rowCount; r++)
            {
                var sum = 0L;
                for (var i = 0; i < stride; i++)
                {
                    sum += rows.AsSpan<byte>()[(r * stride) + i] * queries.AsSpan<sbyte>()[(q * stride) + i];
                }

                expected[(q * rowCount) + r] = unchecked((int)sum);
            }
        }

        var addresses = Enumerable.Range(0, rowCount).Select(r => rows.Address + (r * stride)).ToArray();
        var dots = new int[expected.Length];
        CodeDots.Compute(addresses, (sbyte*)queries.Address, queryCount, stride, dots);
        Assert.Equal(expected, dots);
        Array.Clear(dots);
        CodeDots.Compute(addresses, (sbyte*)queries.Address, queryCount, stride, dots, 2, &CodeTilePortable.FourByTwo, &CodeTilePortable.RowsByOne);
        Assert.Equal(expected, dots);
        if (Avx2.IsSupported)
        {
            Array.Clear(dots);
            CodeDots.Compute(addresses, (sbyte*)queries.Address, queryCount, stride, dots, 2, &CodeTile256.FourByTwo, &CodeTile256.RowsByOne);
            Assert.Equal(expected, dots);
        }

        if (Avx512BW.IsSupported)
        {
            Array.Clear(dots);
            CodeDots.Compute(addresses, (sbyte*)queries.Address, queryCount, stride, dots, 4, &CodeTile512.FourByFour, &CodeTile512.RowsByOne);
            Assert.Equal(expected, dots);
        }
    }
}
