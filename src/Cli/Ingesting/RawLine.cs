namespace Embeddings.Cli.Ingesting;

/// <summary>A line of a file.</summary>
/// <param name="Number">Its number, from 1.</param>
/// <param name="Bytes">Its bytes without the line break; its beginning where it is cut. Good until the next line is asked for.</param>
/// <param name="IsCut">Whether it was too long to be kept.</param>
internal readonly record struct RawLine(long Number, ReadOnlyMemory<byte> Bytes, bool IsCut)
{
    public bool IsBlank => Bytes.Span.Trim(" \t\r"u8).IsEmpty;
}
