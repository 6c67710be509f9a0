using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;

namespace Embeddings.Server.Hosting;

/// <summary>
/// Recognizes by its first bytes a client that speaks the wrong protocol on a port. Without TLS, TLS gets an answer that TLS
/// clients report; HTTP/1.1 on the port of gRPC and HTTP/2 on the other port are served in the client's protocol, so that
/// <see cref="WrongPort"/> can name the right port. With TLS, clear text gets an answer that names https. It also closes the
/// connections that outlast a shutdown.
/// </summary>
internal sealed class ConnectionGuard(Shutdown shutdown, TimeProvider time, ILogger<ConnectionGuard> log)
{
    // As long as Kestrel's own limit for a connection without a request.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(130);

    // For the answer to clear text, and for the rest of the request.
    private static readonly TimeSpan AnswerTime = TimeSpan.FromSeconds(5);

    // A client of TLS that gets an answer in clear text reports that the server does not use TLS; after an alert it would
    // report a wrong version of TLS.
    private static readonly byte[] NoTls =
    [
        .. "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"u8,
        .. "This port is without TLS. Use http:// instead of https://.\n"u8,
    ];

    private ConnectionDelegate? _http1;
    private ConnectionDelegate? _http2;

    private enum Start
    {
        None,
        Tls,
        Http1,
        Http2,
    }

    /// <summary>Middleware of a port with TLS, in front of that of TLS.</summary>
    public ConnectionDelegate UseForTls(ConnectionDelegate next) => connection => RunTlsAsync(connection, next);

    /// <summary>Middleware of a port for HTTP/1.1.</summary>
    public ConnectionDelegate UseForHttp1(ConnectionDelegate next)
    {
        _http1 = next;
        return connection => RunAsync(connection, next);
    }

    /// <summary>Middleware of a port for HTTP/2.</summary>
    public ConnectionDelegate UseForHttp2(ConnectionDelegate next)
    {
        _http2 = next;
        return connection => RunAsync(connection, next);
    }

    private async Task RunAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        using var expired = shutdown.Expired.UnsafeRegister(
            static connection => ((ConnectionContext)connection!).Abort(), connection);
        switch (await PeekAsync(connection))
        {
            case Start.Tls:
                ServerLog.TlsRefused(log, connection.RemoteEndPoint, ((IPEndPoint)connection.LocalEndPoint!).Port);
                await connection.Transport.Output.WriteAsync(NoTls);
                break;
            case Start.Http1:
                await (_http1 ?? next)(connection);
                break;
            case Start.Http2:
                await (_http2 ?? next)(connection);
                break;
        }
    }

    private async Task RunTlsAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        using var expired = shutdown.Expired.UnsafeRegister(
            static connection => ((ConnectionContext)connection!).Abort(), connection);
        var start = await PeekAsync(connection);
        if (start == Start.Tls)
        {
            await next(connection);
        }
        else if (start != Start.None)
        {
            ServerLog.ClearTextRefused(log, connection.RemoteEndPoint, ((IPEndPoint)connection.LocalEndPoint!).Port);
            using var limit = new CancellationTokenSource(AnswerTime, time);
            try
            {
                await (start == Start.Http2
                    ? ClearTextAnswer.AnswerHttp2Async(connection.Transport, limit.Token)
                    : ClearTextAnswer.AnswerHttp1Async(connection.Transport, limit.Token));
            }
            catch (Exception e) when (e is OperationCanceledException or IOException)
            {
                // The client has gone, or does not read or close the connection, which ends here.
            }
        }
    }

    /// <summary>Waits for the first bytes, which stay unread; <see cref="Start.None"/> if the client sends none.</summary>
    private async Task<Start> PeekAsync(ConnectionContext connection)
    {
        var closing = connection.Features.Get<IConnectionLifetimeNotificationFeature>()?.ConnectionClosedRequested ?? default;
        using var patience = new CancellationTokenSource(Patience, time);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, closing);
        var input = connection.Transport.Input;
        try
        {
            while (true)
            {
                var result = await input.ReadAsync(ended.Token);
                if (Recognize(result) is { } start)
                {
                    input.AdvanceTo(result.Buffer.Start);
                    return start;
                }
                input.AdvanceTo(result.Buffer.Start, result.Buffer.End);
                if (result.IsCompleted || result.IsCanceled)
                {
                    return Start.None;
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            return Start.None;
        }
    }

    private static Start? Recognize(ReadResult result)
    {
        if (result.Buffer.Length < 3)
        {
            return null;
        }
        Span<byte> first = stackalloc byte[3];
        result.Buffer.Slice(0, first.Length).CopyTo(first);
        // A handshake record of TLS 1.0 to 1.3; the preface of HTTP/2; otherwise the method of a request of HTTP/1.1.
        if (first[0] == 0x16 && first[1] == 0x03)
        {
            return Start.Tls;
        }
        return first.SequenceEqual("PRI"u8) ? Start.Http2 : Start.Http1;
    }
}
