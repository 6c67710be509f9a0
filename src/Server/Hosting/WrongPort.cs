using Embeddings.Server.Security;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace Embeddings.Server.Hosting;

/// <summary>
/// Answers requests for the other port with its number: gRPC on the port of HTTP/1.1, and the reverse. With TLS, the port of gRPC
/// serves both.
/// </summary>
internal sealed class WrongPort(RequestDelegate next, IServer server, TlsOptions tls)
{
    private int? _grpcPort;
    private int? _httpPort;

    public Task InvokeAsync(HttpContext context)
    {
        // The ports are known when the first request arrives; 0 selects a free one.
        if (_grpcPort is null)
        {
            var addresses = server.Features.Get<IServerAddressesFeature>()!.Addresses.Select(BindingAddress.Parse).ToList();
            _httpPort = addresses.Count > 1 ? addresses[1].Port : null;
            _grpcPort = addresses[0].Port;
        }
        var onGrpcPort = context.Connection.LocalPort == _grpcPort;
        var isGrpc = context.Request.ContentType?.StartsWith("application/grpc", StringComparison.Ordinal) ?? false;
        if (isGrpc && !onGrpcPort)
        {
            return AnswerGrpcAsync(context, $"This port serves HTTP (/healthz, /readyz). gRPC is on port {_grpcPort}.");
        }
        return onGrpcPort && !tls.IsOn && !HttpProtocol.IsHttp2(context.Request.Protocol)
            ? AnswerAsync(context, StatusCodes.Status421MisdirectedRequest, _httpPort is { } port
                ? $"This port serves gRPC over HTTP/2. HTTP (/healthz, /readyz) is on port {port}."
                : "This port serves gRPC over HTTP/2. HTTP is disabled (Server:HttpPort).")
            : next(context);
    }

    private static Task AnswerGrpcAsync(HttpContext context, string text)
    {
        if (!HttpProtocol.IsHttp2(context.Request.Protocol))
        {
            return AnswerAsync(context, StatusCodes.Status421MisdirectedRequest, text);
        }
        // UNIMPLEMENTED: repeating the call does not help.
        context.Response.ContentType = "application/grpc";
        context.Response.Headers["grpc-status"] = "12";
        context.Response.Headers["grpc-message"] = text;
        return Task.CompletedTask;
    }

    private static Task AnswerAsync(HttpContext context, int status, string text)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "text/plain";
        return context.Response.WriteAsync($"{text}\n");
    }
}
