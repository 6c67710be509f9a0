using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Options;

namespace Embeddings.Server.Hosting;

/// <summary>Ports and limits of the web server.</summary>
internal sealed class KestrelSetup(ServerOptions options, ConnectionGuard guard) : IConfigureOptions<KestrelServerOptions>
{
    public void Configure(KestrelServerOptions kestrel)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxConcurrentConnections = options.MaxConnections;
        kestrel.Limits.Http2.MaxStreamsPerConnection = options.MaxStreamsPerConnection;
        // Large enough that a stream of crops is not stopped at every window update; small enough to keep the buffers
        // of a connection small.
        kestrel.Limits.Http2.InitialStreamWindowSize = 1 << 20;
        kestrel.Limits.Http2.InitialConnectionWindowSize = 4 << 20;
        kestrel.Limits.Http2.MaxFrameSize = 1 << 18;
        // Detects clients that disappeared without closing the connection. A client that is alive but reads slowly
        // keeps its stream, because the number of its pending responses is bounded.
        kestrel.Limits.Http2.KeepAlivePingDelay = TimeSpan.FromSeconds(30);
        kestrel.Limits.MinResponseDataRate = null;
        // The size and the time of messages are limited instead (MaxMessageBytes, MessageReadSeconds).
        kestrel.Limits.MaxRequestBodySize = null;
        kestrel.Limits.MinRequestBodyDataRate = null;

        Listen(kestrel, options.GrpcPort, HttpProtocols.Http2, guard.UseForHttp2);
        if (options.HttpPort >= 0)
        {
            Listen(kestrel, options.HttpPort, HttpProtocols.Http1, guard.UseForHttp1);
        }
    }

    private void Listen(
        KestrelServerOptions kestrel,
        int port,
        HttpProtocols protocols,
        Func<ConnectionDelegate, ConnectionDelegate> middleware)
    {
        if (options.Listen == "*")
        {
            kestrel.ListenAnyIP(port, Configure);
        }
        else
        {
            kestrel.Listen(ServerOptions.AddressOf(options.Listen)!, port, Configure);
        }

        void Configure(ListenOptions listen)
        {
            listen.Protocols = protocols;
            listen.Use(middleware);
        }
    }
}
