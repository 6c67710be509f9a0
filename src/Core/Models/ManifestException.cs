namespace Embeddings.Core.Models;

/// <summary>A manifest that cannot be used. The message is one line that names the file and the field.</summary>
internal sealed class ManifestException : Exception
{
    public ManifestException(string file, string field, string message, Exception? inner = null)
        : base(field.Length == 0 ? $"{file}: {message}" : $"{file}: {field}: {message}", inner)
    {
        Field = field;
    }

    /// <summary>Path of the field at fault, for example <c>input.width</c>; empty where the whole file is.</summary>
    public string Field { get; }
}
