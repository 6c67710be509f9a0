using Embeddings.Primitives;
using Embeddings.Server.Hosting;

namespace Embeddings.Server.Grpc.Errors;

/// <summary>
/// Refuses calls with too much metadata with a status of the contract. Kestrel's own limit, which is higher, ends them with
/// an HTTP status, of which a gRPC client makes UNKNOWN.
/// </summary>
internal sealed class MetadataLimit(RequestDelegate next, ILogger<MetadataLimit> log)
{
    /// <summary>Maximum size of the headers of a call, bytes, with the 32 per header that HTTP/2 adds.</summary>
    public const int MaxBytes = 32 << 10;

    private const int HeaderOverhead = 32;

    public Task InvokeAsync(HttpContext context)
    {
        var bytes = 0;
        foreach (var (name, values) in context.Request.Headers)
        {
            foreach (var value in values)
            {
                bytes += name.Length + (value?.Length ?? 0) + HeaderOverhead;
            }
        }
        if (bytes <= MaxBytes)
        {
            return next(context);
        }
        if (context.Request.ContentType?.StartsWith("application/grpc", StringComparison.Ordinal) != true)
        {
            context.Response.StatusCode = StatusCodes.Status431RequestHeaderFieldsTooLarge;
            return Task.CompletedTask;
        }
        var fault = new Fault(
            FaultKind.ResourceExhausted,
            Reasons.MetadataTooLarge,
            $"The metadata must be at most {MaxBytes} bytes; got {bytes}. Send less.")
            .With(FaultKeys.Limit, MaxBytes)
            .With(FaultKeys.Actual, bytes);
        ServerLog.FaultAnswered(log, context.Request.Path.Value ?? "", fault.Reason, fault.Message);
        context.Response.ContentType = "application/grpc";
        FaultStatus.Write(fault, context.Response.Headers);
        return Task.CompletedTask;
    }
}
