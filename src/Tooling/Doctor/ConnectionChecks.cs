using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Embeddings.Client;
using Embeddings.Client.Calls;
using Grpc.Core;

namespace Embeddings.Tooling.Doctor;

/// <summary>Checks the security of the connection: TLS, the server's certificate, and reflection without a key.</summary>
/// <param name="client">Client to use.</param>
/// <param name="report">Runs the checks.</param>
/// <param name="time">Clock for the expiry of the certificate.</param>
internal sealed class ConnectionChecks(EmbeddingsClient client, DoctorReport report, TimeProvider time)
{
    /// <summary>Time before the end of a certificate from which its expiry is reported.</summary>
    private static readonly TimeSpan Notice = TimeSpan.FromDays(30);

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    // A request of the reflection service, whose generated code is not part of the client: list_services.
    private static readonly byte[] ListServices = [0x3A, 0x00];

    private static readonly Marshaller<byte[]> Bytes = new(bytes => bytes, bytes => bytes);

    private static readonly Method<byte[], byte[]> Reflection = new(
        MethodType.DuplexStreaming, "grpc.reflection.v1.ServerReflection", "ServerReflectionInfo", Bytes, Bytes);

    private readonly Uri _address = EmbeddingsClientOptionsValidator.Endpoints(client.Options)[0];

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        report.Begin();
        await report.CheckAsync("connection", async () => _address.Scheme == Uri.UriSchemeHttps
            ? JudgeCertificate(await HandshakeAsync(cancellationToken))
            : JudgeClearText(_address, client.Options.ApiKey is not null));
        report.Begin();
        await report.CheckAsync("reflection", async () => JudgeReflection(_address, await ReflectionAsync(cancellationToken)));
    }

    /// <summary>Returns the verdict about a connection without TLS.</summary>
    public static (Verdict Verdict, string Detail) JudgeClearText(Uri address, bool hasKey)
    {
        if (address.IsLoopback)
        {
            return (Verdict.Ok, "without TLS, on this machine only");
        }
        var exposed = hasKey ? "the API key, images, and vectors" : "images and vectors";
        return (Verdict.Warn, $"without TLS: {exposed} can be read in transit. Set Server:Tls on the server, and use https://.");
    }

    /// <summary>Returns the verdict about reflection, from the status of a call without a key.</summary>
    public static (Verdict Verdict, string Detail) JudgeReflection(Uri address, StatusCode status) => status switch
    {
        StatusCode.OK when address.IsLoopback => (Verdict.Ok, "open, at an address of this machine"),
        StatusCode.OK => (Verdict.Warn, "open to callers without a key. Set Server:Reflection to false, or turn authentication on."),
        StatusCode.Unimplemented => (Verdict.Ok, "off"),
        StatusCode.Unauthenticated or StatusCode.PermissionDenied => (Verdict.Ok, "closed to callers without a key"),
        _ => throw new ToolException($"The call of the reflection service ended with {status}."),
    };

    private (Verdict Verdict, string Detail) JudgeCertificate(SslStream connection)
    {
        using (connection)
        {
            using var certificate = new X509Certificate2(connection.RemoteCertificate!);
            var expires = certificate.NotAfter.ToUniversalTime();
            var left = expires - time.GetUtcNow().UtcDateTime;
            var version = connection.SslProtocol == SslProtocols.Tls12 ? "TLS 1.2" : "TLS 1.3";
            var until = $"{version}, certificate '{certificate.Subject}' until {expires:yyyy-MM-dd HH:mm} UTC";
            return left > Notice
                ? (Verdict.Ok, until)
                : (Verdict.Warn, $"{until}, which is in {Math.Floor(left.TotalDays):F0} days. Renew it.");
        }
    }

    private async Task<SslStream> HandshakeAsync(CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Limit);
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(_address.DnsSafeHost, _address.Port, limit.Token);
            var stream = new SslStream(new NetworkStream(socket, ownsSocket: true));
            var options = new SslClientAuthenticationOptions
            {
                TargetHost = _address.DnsSafeHost,
                ApplicationProtocols = [SslApplicationProtocol.Http2],
            };
            ClientTls.Configure(options, client.Options);
            await stream.AuthenticateAsClientAsync(options, limit.Token);
            return stream;
        }
        catch (Exception e) when (e is SocketException or IOException or AuthenticationException)
        {
            socket.Dispose();
            throw new ToolException(e.GetBaseException().Message);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            socket.Dispose();
            throw new ToolException($"The handshake did not end within {Limit.TotalSeconds} s.");
        }
    }

    private async Task<StatusCode> ReflectionAsync(CancellationToken cancellationToken)
    {
        var due = time.GetUtcNow().UtcDateTime + Limit;
        using var call = client.Invoker.AsyncDuplexStreamingCall(
            Reflection, null, new CallOptions(deadline: due, cancellationToken: cancellationToken));
        try
        {
            await call.RequestStream.WriteAsync(ListServices, cancellationToken);
            await call.RequestStream.CompleteAsync();
            while (await call.ResponseStream.MoveNext(cancellationToken))
            {
                // Only the status matters.
            }
            return StatusCode.OK;
        }
        catch (RpcException e) when (!cancellationToken.IsCancellationRequested)
        {
            return e.StatusCode is StatusCode.Unimplemented or StatusCode.Unauthenticated or StatusCode.PermissionDenied
                ? e.StatusCode
                : throw ErrorDetails.ToException(e);
        }
    }
}
