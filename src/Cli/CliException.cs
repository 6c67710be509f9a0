namespace Embeddings.Cli;

/// <summary>Ends a command with one clear line for the person who typed it.</summary>
internal sealed class CliException(string message) : Exception(message);
