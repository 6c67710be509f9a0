using System.Runtime.CompilerServices;

namespace Embeddings.Tooling.Ingesting;

/// <summary>A line of a file.</summary>
/// <param name="Number">Line number, from 1.</param>
/// <param name="Bytes">
/// Bytes without the line break, or the beginning of a line that is cut. Valid until the next line is read.
/// </param>
/// <param name="IsCut">Whether the line exceeds <see cref="LineReader.MaxLineBytes"/>.</param>
internal readonly record struct RawLine(long Number, ReadOnlyMemory<byte> Bytes, bool IsCut)
{
    public bool IsBlank => Bytes.Span.Trim(" \t\r"u8).IsEmpty;
}

/// <summary>
/// Splits a stream of bytes into lines in bounded memory. A file without line breaks is one line that is cut.
/// </summary>
internal static class LineReader
{
    /// <summary>
    /// Longest line, in bytes. The server accepts at most 64 KiB of attributes, so valid lines are far shorter.
    /// </summary>
    public const int MaxLineBytes = 1 << 20;

    private static ReadOnlySpan<byte> ByteOrderMark => [0xEF, 0xBB, 0xBF];

    public static async IAsyncEnumerable<RawLine> ReadAsync(
        Stream stream, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var buffer = new byte[MaxLineBytes];
        var filled = 0;
        var number = 1L;
        var cut = false;
        var start = true;
        while (true)
        {
            var read = await stream.ReadAsync(buffer.AsMemory(filled), cancellationToken);
            if (start && (filled + read >= ByteOrderMark.Length || read == 0))
            {
                start = false;
                if (buffer.AsSpan(0, filled + read).StartsWith(ByteOrderMark))
                {
                    buffer.AsSpan(0, ByteOrderMark.Length).Fill((byte)' ');
                }
            }
            filled += read;
            var from = 0;
            while (buffer.AsSpan(from, filled - from).IndexOf((byte)'\n') is >= 0 and var length)
            {
                yield return new RawLine(number++, buffer.AsMemory(from, length), cut);
                from += length + 1;
                cut = false;
            }
            buffer.AsSpan(from, filled - from).CopyTo(buffer);
            filled -= from;
            if (read == 0)
            {
                if (filled > 0 || cut)
                {
                    yield return new RawLine(number, buffer.AsMemory(0, filled), cut);
                }
                yield break;
            }
            if (filled == buffer.Length)
            {
                // Keep the beginning for the error message and skip the rest of the line.
                cut = true;
                filled = 1024;
            }
        }
    }
}
