using System.Security.Authentication;
using Embeddings.Client;
using Embeddings.Core;
using Embeddings.Primitives;
using Embeddings.V1;
using Grpc.Core;
using Microsoft.Extensions.Options;

namespace Embeddings.Cli.Printing;

/// <summary>Formats exceptions as one line without a stack trace.</summary>
internal static class ErrorLine
{
    public static string Of(Exception error, string? address) => OneLine(error switch
    {
        // Models load concurrently; the first failure is reported.
        AggregateException several when several.Flatten().InnerExceptions is [var first, ..] => Of(first, address),
        EmbeddingsException e => Rpc(e, address),
        ToolException or ItemFault or Fault or ModelException or OptionsValidationException or IOException
            or UnauthorizedAccessException => error.Message,
        _ => $"{error.Message} ({error.GetType().Name})",
    });

    /// <summary>Formats the error of one item.</summary>
    public static string Of(ItemError error) =>
        $"{StatusName.Of(error.Code)} {error.Reason}: {OneLine(error.Message)}{Advice(error.Reason)}";

    /// <summary>
    /// Replaces control characters, so that a stored name cannot break the line or control the terminal.
    /// </summary>
    public static string OneLine(string text) =>
        string.Concat(text.Select(static c => char.IsControl(c) ? ' ' : c)).Trim();

    /// <summary>Returns the message of a failed call, which has the address if the server did not respond.</summary>
    public static string Message(EmbeddingsException error, string? address) => error switch
    {
        { Status: StatusCode.Internal or StatusCode.Unavailable } when TlsCause(error) is { } cause =>
            cause.Contains("remote certificate", StringComparison.OrdinalIgnoreCase)
                ? $"The certificate of the server at {address} is not trusted. Set its certificate authority with --ca FILE, and use the "
                    + $"name of the certificate in --address. ({cause})"
                : $"No connection with TLS to {address}. If the server is without TLS, use http:// in --address. ({cause})",
        // The server sets a reason on every error of its own. The name of the status means that no server responded.
        { Status: StatusCode.Unavailable, Reason: "UNAVAILABLE" } =>
            $"No server responds at {address}. Start one with 'embeddings serve', or choose another with --address. "
            + $"({error.Message})",
        { Status: StatusCode.DeadlineExceeded } =>
            $"The server at {address} did not respond before the deadline: {error.Message}",
        _ => error.Message,
    };

    private static string Rpc(EmbeddingsException e, string? address)
    {
        var message = Message(e, address);
        if (message != e.Message)
        {
            return message;
        }
        var field = e.Field.Length == 0 ? "" : $" [{e.Field}]";
        var retry = e.RetryAfter is { } after ? $" Retry in {after.TotalSeconds:0.###} s." : "";
        return $"{StatusName.WithReason(e)}: {e.Message}{field}{retry}{Advice(e.Reason)}";
    }

    private static string? TlsCause(EmbeddingsException error) =>
        error.InnerException is RpcException { Status.DebugException: { } inner }
            && inner.GetBaseException() is AuthenticationException cause
            ? cause.Message
            : null;

    // The server names calls and fields of the contract; the user of the command has options.
    private static string Advice(string reason) => reason switch
    {
        Reasons.FaceNotCropped =>
            " On the command line: ingest --kind photo finds the faces in photos, and so do detect and identify; --aligned accepts the image as a crop.",
        Reasons.CertificateMissing or Reasons.CertificateInvalid =>
            " On the command line: --client-cert FILE --client-key FILE.",
        _ => "",
    };
}
