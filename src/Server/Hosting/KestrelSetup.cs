using Embeddings.Core;
using Embeddings.Core.Memory;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Options;

namespace Embeddings.Server.Hosting;

/// <summary>Ports and limits of the web server.</summary>
internal sealed class KestrelSetup(ServerOptions options, MemoryOptions memory) : IConfigureOptions<KestrelServerOptions>
{
    private const int StreamWindow = 1 << 20;
    private const int ConnectionWindow = 4 * StreamWindow;
    private const int MinConnections = 64;

    public void Configure(KestrelServerOptions kestrel)
    {
        kestrel.AddServerHeader = false;
        // What clients send and the server does not read is in the windows: at most a quarter of the memory.
        var connections = Math.Max(MemoryBudget.LimitOf(memory) / 4 / ConnectionWindow, MinConnections);
        kestrel.Limits.MaxConcurrentConnections = Math.Min(options.MaxConnections, connections);
        kestrel.Limits.Http2.MaxStreamsPerConnection = options.MaxStreamsPerConnection;
        // Large enough that a stream of crops is not stopped at every window update; small enough to keep the buffers
        // of a connection small.
        kestrel.Limits.Http2.InitialStreamWindowSize = StreamWindow;
        kestrel.Limits.Http2.InitialConnectionWindowSize = ConnectionWindow;
        kestrel.Limits.Http2.MaxFrameSize = 1 << 18;
        // Detects clients that disappeared without closing the connection. A client that is alive but reads slowly
        // keeps its stream, because the number of its pending responses is bounded.
        kestrel.Limits.Http2.KeepAlivePingDelay = TimeSpan.FromSeconds(30);
        kestrel.Limits.MinResponseDataRate = null;
        // A client whose other streams fill the connection's window sends nothing on this one, and is not at fault.
        kestrel.Limits.MinRequestBodyDataRate = null;
        // Messages have limits of their own, which may be higher than that of Kestrel.
        kestrel.Limits.MaxRequestBodySize = null;

        Listen(kestrel, options.GrpcPort, HttpProtocols.Http2);
        if (options.HttpPort >= 0)
        {
            Listen(kestrel, options.HttpPort, HttpProtocols.Http1);
        }
    }

    private void Listen(KestrelServerOptions kestrel, int port, HttpProtocols protocols)
    {
        if (options.Listen == "*")
        {
            kestrel.ListenAnyIP(port, listen => listen.Protocols = protocols);
        }
        else
        {
            kestrel.Listen(ServerOptions.AddressOf(options.Listen)!, port, listen => listen.Protocols = protocols);
        }
    }
}
