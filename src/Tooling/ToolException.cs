namespace Embeddings.Tooling;

/// <summary>Ends a command with one message for the user.</summary>
/// <param name="message">The message.</param>
/// <param name="inner">Exception that caused this one, or null.</param>
/// <param name="reason">Reason for programs.</param>
internal sealed class ToolException(string message, Exception? inner = null, string reason = ToolException.Failed)
    : Exception(message, inner)
{
    public const string Failed = "COMMAND_FAILED";

    public string Reason { get; } = reason;
}
