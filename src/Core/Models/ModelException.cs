namespace Embeddings.Core.Models;

/// <summary>A model file that cannot be used, or does not fit its manifest. The message is one line that names the file and the reason.</summary>
internal sealed class ModelException : Exception
{
    public ModelException(string file, string message, Exception? inner = null)
        : base($"{Path.GetFileName(file)}: {OneLine(message)}", inner)
    {
    }

    // The runtime's own messages come in several lines.
    private static string OneLine(string text) => string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
}
