using Embeddings.Core;
using Embeddings.Core.Memory;
using Embeddings.Server.Grpc.Errors;
using Embeddings.Server.Security;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Options;

namespace Embeddings.Server.Hosting;

/// <summary>Ports and limits of the web server.</summary>
internal sealed class KestrelSetup(
    ServerOptions options, TlsOptions tls, MemoryOptions memory, ConnectionGuard guard, TlsHandshake handshake)
    : IConfigureOptions<KestrelServerOptions>
{
    private const int StreamWindow = 1 << 20;
    private const int ConnectionWindow = 4 * StreamWindow;
    private const int MinConnections = 64;
    private const int MaxHeaderBytes = 4 * MetadataLimit.MaxBytes;
    private const int MaxHeaders = 1000;

    public void Configure(KestrelServerOptions kestrel)
    {
        kestrel.AddServerHeader = false;
        // Above the limit on metadata, which is refused with a status of the contract.
        kestrel.Limits.MaxRequestHeadersTotalSize = MaxHeaderBytes;
        kestrel.Limits.MaxRequestHeaderCount = MaxHeaders;
        kestrel.Limits.Http2.MaxRequestHeaderFieldSize = MaxHeaderBytes;
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
        // The size and the time of messages are limited instead (MaxMessageBytes, MessageReadSeconds). A data rate would end
        // a stream whose client's other streams fill the window of the connection.
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
        var isForGrpc = protocols == HttpProtocols.Http2;
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
            if (tls.IsOn)
            {
                // Clients choose by ALPN: gRPC and health on one port, and an answer to gRPC on the port of HTTP.
                listen.Protocols = HttpProtocols.Http1AndHttp2;
                listen.Use(guard.UseForTls);
                listen.UseHttps(handshake.For(isForGrpc));
                return;
            }
            listen.Protocols = protocols;
            listen.Use(middleware);
        }
    }
}
