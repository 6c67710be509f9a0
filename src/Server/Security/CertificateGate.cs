using Embeddings.Server.Grpc.Errors;
using Embeddings.Server.Hosting;
using Microsoft.AspNetCore.Connections.Features;

namespace Embeddings.Server.Security;

/// <summary>
/// Refuses every request of a connection whose client certificate is missing or not valid, with a readable error, before anything of
/// it is read. A refusal by TLS itself would be the end of the connection without a reason: on Linux, .NET sends no alert, and with
/// TLS 1.3 the client has completed the handshake before its certificate is validated.
/// </summary>
internal sealed class CertificateGate(RequestDelegate next, TlsOptions tls, ILogger<CertificateGate> log)
{
    public Task InvokeAsync(HttpContext context)
    {
        if (tls.ClientCertificates == CertificateRule.None)
        {
            return next(context);
        }
        var verdict = context.Features.Get<CertificateVerdict>()
            ?? throw new InvalidOperationException("The connection has no verdict about its client certificate.");
        if (verdict.Refusal is not { } fault || (verdict.ExceptProbes && context.Request.Path.Value is "/healthz" or "/readyz"))
        {
            return next(context);
        }
        ServerLog.FaultAnswered(log, context.Request.Path.Value ?? "", fault.Reason, fault.Message);
        // The connection ends after the answer.
        context.Features.Get<IConnectionLifetimeNotificationFeature>()?.RequestClose();
        if (context.Request.ContentType?.StartsWith("application/grpc", StringComparison.Ordinal) == true)
        {
            context.Response.ContentType = "application/grpc";
            FaultStatus.Write(fault, context.Response.Headers);
            return Task.CompletedTask;
        }
        context.Response.StatusCode = StatusCodes.Status401Unauthorized;
        context.Response.ContentType = "text/plain";
        return context.Response.WriteAsync($"{fault.Message}\n");
    }
}
