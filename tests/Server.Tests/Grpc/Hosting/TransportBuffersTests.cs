using Embeddings.Server.Hosting;
using Embeddings.Testing;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.DependencyInjection;

namespace Embeddings.Server.Tests.Grpc.Hosting;

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
    public void A_buffer_is_as_large_as_asked_for_and_never_small(int asked)
    {
        using var pool = new TransportBuffers().Create();
        using var buffer = pool.Rent(asked);
        Assert.True(buffer.Memory.Length >= Math.Max(asked, TransportBuffers.BlockSize));
        buffer.Memory.Span.Fill(1);
    }

    [Fact]
    public async Task The_web_server_takes_its_buffers_from_here()
    {
        await using var app = EmbeddingsServer.Create(["--Store:Embedded:Directory=unused"]);
        Assert.IsType<TransportBuffers>(app.Services.GetRequiredService<IMemoryPoolFactory<byte>>());
    }
}
