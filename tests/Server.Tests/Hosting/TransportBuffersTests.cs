using Embeddings.Server.Hosting;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.DependencyInjection;

namespace Embeddings.Server.Tests.Hosting;

public sealed class TransportBuffersTests
{
    [Theory]
    [InlineData(-1)]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(4096)]
    [InlineData(TransportBuffers.BlockSize)]
    [InlineData(TransportBuffers.BlockSize + 1)]
    [InlineData(1 << 20)]
    public void A_buffer_has_at_least_the_requested_size_and_the_block_size(int size)
    {
        using var pool = new TransportBuffers().Create();
        using var buffer = pool.Rent(size);
        Assert.True(buffer.Memory.Length >= Math.Max(size, TransportBuffers.BlockSize));
        buffer.Memory.Span.Fill(1);
    }

    [Fact]
    public async Task Kestrel_uses_these_buffers()
    {
        await using var app = EmbeddingsServer.Create(["--Store:Embedded:Directory=unused"]);
        Assert.IsType<TransportBuffers>(app.Services.GetRequiredService<IMemoryPoolFactory<byte>>());
    }
}
