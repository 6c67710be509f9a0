namespace Embeddings.Tooling;

/// <summary>Ends a command with one message for the user.</summary>
internal sealed class ToolException(string message, Exception? inner = null) : Exception(message, inner);
