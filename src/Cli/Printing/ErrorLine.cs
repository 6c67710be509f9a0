using Embeddings.Client;
using Embeddings.Core;
using Embeddings.Primitives;
using Grpc.Core;
using Microsoft.Extensions.Options;

namespace Embeddings.Cli.Printing;

/// <summary>An exception as one line for a person: what, and what to do, without a stack trace.</summary>
internal static class ErrorLine
{
    public static string Of(Exception error, string? address) => OneLine(error switch
    {
        // Models load side by side; the first that fails is the one to mend.
        AggregateException several when several.Flatten().InnerExceptions is [var first, ..] => Of(first, address),
        // The server gives every error of its own a reason; only the status' name means that nobody was there to give one.
        EmbeddingsException { Status: StatusCode.Unavailable, Reason: "UNAVAILABLE" } =>
            $"no server answers at {address}. Start one with 'embeddings serve', or name another with --address. ({error.Message})",
        EmbeddingsException { Status: StatusCode.DeadlineExceeded } => $"no answer from {address} in time: {error.Message}",
        EmbeddingsException e => Rpc(e),
        CliException or ItemFault or Fault or ModelException or OptionsValidationException or IOException
            or UnauthorizedAccessException => error.Message,
        _ => $"{error.Message} ({error.GetType().Name})",
    });

    /// <summary>The text without line breaks and other control characters, which also keeps a stored name from steering the terminal.</summary>
    public static string OneLine(string text) =>
        string.Create(text.Length, text, static (span, source) =>
        {
            for (var i = 0; i < span.Length; i++)
            {
                span[i] = char.IsControl(source[i]) ? ' ' : source[i];
            }
        }).Trim();

    private static string Rpc(EmbeddingsException e)
    {
        var status = StatusName.Of((int)e.Status);
        var reason = e.Reason == status ? "" : $" {e.Reason}";
        var field = e.Field.Length == 0 ? "" : $" [{e.Field}]";
        var retry = e.RetryAfter is { } after ? $" Try again in {after.TotalSeconds:0.###} s." : "";
        return $"{status}{reason}: {e.Message}{field}{retry}";
    }
}
