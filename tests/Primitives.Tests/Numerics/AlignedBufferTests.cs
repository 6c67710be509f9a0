using Embeddings.Primitives.Numerics;
using Embeddings.Testing;

namespace Embeddings.Primitives.Tests.Numerics;

public sealed class AlignedBufferTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(17)]
    [InlineData(300_000)]
    [InlineData(1 << 20)]
    public void Floats_are_aligned_and_zero(int length)
    {
        using var buffer = AlignedBuffer.ZeroedFloats(length);
        Assert.Equal(0, buffer.Address % AlignedBuffer.Alignment);
        Assert.Equal(length, buffer.AsSpan<float>().Length);
        Assert.False(buffer.AsSpan<float>().ContainsAnyExcept(0f));
    }

    [Fact]
    public void A_range_beyond_the_end_is_refused()
    {
        using var buffer = new AlignedBuffer(16);
        Assert.Equal(2, buffer.Slice<float>(2, 2).Length);
        Assert.Throws<ArgumentOutOfRangeException>(() => buffer.Slice<float>(2, 3).Length);
    }

    [Fact]
    public void A_disposed_buffer_cannot_be_read()
    {
        var buffer = new AlignedBuffer(16);
        buffer.Dispose();
        Assert.Throws<ObjectDisposedException>(() => buffer.Address);
    }
}
