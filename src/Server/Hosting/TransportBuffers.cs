using System.Buffers;
using Microsoft.AspNetCore.Connections;

namespace Embeddings.Server.Hosting;

/// <summary>
/// The buffers of connections. The web server's own have 4 KiB, and each takes two system calls to fill: twenty for a crop of 112x112, thirty for a photograph
/// of 60 KB, and as many segments for what reads them. Idle connections hold none, so that what a client can make the server hold stays small.
/// </summary>
internal sealed class TransportBuffers : IMemoryPoolFactory<byte>
{
    /// <summary>A crop of 112x112 pixels fits in two. From 16 to 128 KiB throughput was measured to be the same; a third of it is lost at 4 KiB.</summary>
    public const int BlockSize = 32 << 10;

    /// <inheritdoc/>
    public MemoryPool<byte> Create(MemoryPoolOptions? options = null) => new Pool();

    // The shared pool gives back to the collector what has not been used for a while.
    private sealed class Pool : MemoryPool<byte>
    {
        public override int MaxBufferSize => Shared.MaxBufferSize;

        public override IMemoryOwner<byte> Rent(int minBufferSize = -1) => Shared.Rent(Math.Max(minBufferSize, BlockSize));

        protected override void Dispose(bool disposing)
        {
        }
    }
}
