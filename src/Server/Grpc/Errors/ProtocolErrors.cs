using System.Globalization;
using Embeddings.Server.Hosting;
using Google.Protobuf;

namespace Embeddings.Server.Grpc.Errors;

/// <summary>
/// Adds the errors of the contract to failures before a unary method is reached, which interceptors do not see: a
/// message that exceeds the size limit, and data that is not a message. gRPC reports those as a status in the headers,
/// because nothing of the response has been sent.
/// </summary>
internal sealed class ProtocolErrors(RequestDelegate next, ServerOptions options)
{
    private const string Details = "grpc-status-details-bin";

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

    private static void Rewrite(IHeaderDictionary headers, int limit)
    {
        if (headers.ContainsKey(Details))
        {
            return;
        }
        var fault = headers["grpc-status"].ToString() switch
        {
            "8" when IsSizeLimit(headers["grpc-message"].ToString()) => FaultStatus.TooLarge(limit),
            // The service methods never end with UNKNOWN, because of the interceptor.
            "2" => FaultStatus.Malformed(),
            _ => null,
        };
        if (fault is not null)
        {
            headers["grpc-status"] = ((int)fault.Kind).ToString(CultureInfo.InvariantCulture);
            headers["grpc-message"] = fault.Message;
            headers[Details] = Convert.ToBase64String(FaultStatus.ToStatus(fault).ToByteArray()).TrimEnd('=');
        }
    }

    private static bool IsSizeLimit(string message) =>
        Uri.UnescapeDataString(message).Contains("maximum configured message size", StringComparison.Ordinal);
}
