using Embeddings.Primitives;
using Embeddings.Server.Grpc.Errors;

namespace Embeddings.Server.Hosting;

/// <summary>
/// Gives the contract's errors to what fails before a unary method is reached, where no interceptor sees it: a message over the limit, and bytes that are no
/// message. gRPC answers those with a bare status in the headers, since nothing of the response has been sent yet.
/// </summary>
internal sealed class ProtocolErrors(RequestDelegate next, ServerOptions options)
{
    public Task InvokeAsync(HttpContext context)
    {
        context.Response.OnStarting(
            static state =>
            {
                var (context, limit) = ((HttpContext, int))state;
                Rewrite(context.Response.Headers, limit);
                return Task.CompletedTask;
            },
            (context, options.MaxMessageBytes));
        return next(context);
    }

    /// <summary>The fault for a message over the limit.</summary>
    public static Fault TooLarge(int limit) =>
        new(FaultKind.ResourceExhausted, Reasons.MessageTooLarge, $"a message may have {limit} bytes (Server:MaxMessageBytes)");

    private static void Rewrite(IHeaderDictionary headers, int limit)
    {
        if (headers.ContainsKey("grpc-status-details-bin"))
        {
            return;
        }
        var fault = headers["grpc-status"].ToString() switch
        {
            "8" when IsSizeLimit(headers["grpc-message"].ToString()) => TooLarge(limit),
            // The service methods never end with UNKNOWN: the interceptor sees to that.
            "2" => Fault.Invalid(Reasons.MessageMalformed, "", "the message is not valid Protocol Buffers of the contract"),
            _ => null,
        };
        if (fault is not null)
        {
            var exception = FaultStatus.ToException(fault);
            headers["grpc-status"] = ((int)fault.Kind).ToString(System.Globalization.CultureInfo.InvariantCulture);
            headers["grpc-message"] = fault.Message;
            foreach (var trailer in exception.Trailers.Where(trailer => trailer.IsBinary))
            {
                headers[trailer.Key] = Convert.ToBase64String(trailer.ValueBytes).TrimEnd('=');
            }
        }
    }

    private static bool IsSizeLimit(string message) => Uri.UnescapeDataString(message).Contains("maximum configured message size", StringComparison.Ordinal);
}
