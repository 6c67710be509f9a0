using System.Net;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Embeddings.Server.Hosting;

/// <summary>Ports and limits of the web server.</summary>
internal static class KestrelSetup
{
    public static void Configure(KestrelServerOptions kestrel, ServerOptions options)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxConcurrentConnections = options.MaxConnections;
        kestrel.Limits.Http2.MaxStreamsPerConnection = options.MaxStreamsPerConnection;
        // Large enough that a stream of crops is not stopped at every window update; small enough that a connection's buffers stay small.
        kestrel.Limits.Http2.InitialStreamWindowSize = 1 << 20;
        kestrel.Limits.Http2.InitialConnectionWindowSize = 4 << 20;
        kestrel.Limits.Http2.MaxFrameSize = 1 << 18;
        // Finds out about clients that are gone without a word. A client that is alive but reads slowly keeps its stream: what it can hold up is bounded.
        kestrel.Limits.Http2.KeepAlivePingDelay = TimeSpan.FromSeconds(30);
        kestrel.Limits.MinResponseDataRate = null;

        Listen(kestrel, options.Listen, options.GrpcPort, HttpProtocols.Http2);
        if (options.HttpPort >= 0)
        {
            Listen(kestrel, options.Listen, options.HttpPort, HttpProtocols.Http1);
        }
    }

    private static void Listen(KestrelServerOptions kestrel, string address, int port, HttpProtocols protocols)
    {
        if (address == "*")
        {
            kestrel.ListenAnyIP(port, listen => listen.Protocols = protocols);
        }
        else
        {
            kestrel.Listen(Parse(address), port, listen => listen.Protocols = protocols);
        }
    }

    private static IPAddress Parse(string address) =>
        address == "localhost" ? IPAddress.Loopback
        : IPAddress.TryParse(address, out var parsed) ? parsed
        : throw new Microsoft.Extensions.Options.OptionsValidationException(
            "Server", typeof(ServerOptions), [$"configuration section 'Server': Listen must be an IP address, 'localhost' or '*'; it is '{address}'"]);
}
