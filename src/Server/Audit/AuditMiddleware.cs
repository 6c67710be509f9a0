using Grpc.AspNetCore.Server;

namespace Embeddings.Server.Audit;

/// <summary>
/// Audits the calls of gRPC, around everything else: those that are refused before they reach their method get their line here,
/// all others from the <see cref="AuditInterceptor"/>.
/// </summary>
internal sealed class AuditMiddleware(RequestDelegate next, AuditLog log, AuditOptions options, TimeProvider time)
{
    public Task InvokeAsync(HttpContext context) =>
        context.Request.ContentType?.StartsWith("application/grpc", StringComparison.Ordinal) == true
            ? AuditAsync(context)
            : next(context);

    private async Task AuditAsync(HttpContext context)
    {
        // The path of an unknown method is a text of the client.
        var method = context.GetEndpoint()?.Metadata.GetMetadata<GrpcMethodMetadata>()?.Method;
        var isAudited = method is null || method.ServiceName.StartsWith("embeddings.", StringComparison.Ordinal);
        using var call = new AuditCall(log, options, time, context, method?.FullName ?? "", isAudited);
        context.Features.Set(call);
        try
        {
            await next(context);
        }
        finally
        {
            if (!call.HasEnded)
            {
                await call.EndRefusedAsync();
            }
        }
    }
}
