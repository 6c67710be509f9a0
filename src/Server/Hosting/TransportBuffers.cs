using System.Buffers;
using Microsoft.AspNetCore.Connections;

namespace Embeddings.Server.Hosting;

/// <summary>
/// Buffers of connections. Kestrel's default buffers have 4 KiB, and filling each takes two system calls: twenty for a
/// crop of 112x112 pixels, thirty for a photo of 60 KB, and as many segments for the code that parses them. Idle
/// connections hold no buffer, which limits the memory that a client can occupy.
/// </summary>
internal sealed class TransportBuffers : IMemoryPoolFactory<byte>
{
    /// <summary>
    /// Size of a buffer, bytes: two hold a crop of 112x112 pixels. Throughput was measured to be the same from 16 to
    /// 128 KiB, and a third less with 4 KiB.
    /// </summary>
    public const int BlockSize = 32 << 10;

    /// <inheritdoc/>
    public MemoryPool<byte> Create(MemoryPoolOptions? options = null) => new Pool();

    // The shared pool releases buffers that have not been used for some time.
    private sealed class Pool : MemoryPool<byte>
    {
        public override int MaxBufferSize => Shared.MaxBufferSize;

        public override IMemoryOwner<byte> Rent(int minBufferSize = -1) => Shared.Rent(Math.Max(minBufferSize, BlockSize));

        protected override void Dispose(bool disposing)
        {
        }
    }
}
