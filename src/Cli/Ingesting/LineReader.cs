using System.Runtime.CompilerServices;

namespace Embeddings.Cli.Ingesting;

/// <summary>Splits a stream of bytes into lines in bounded memory, whatever is in it: a file without line breaks is one line that was cut.</summary>
internal static class LineReader
{
    /// <summary>The longest line kept: the server takes at most 64 KiB of attributes, so that a good line is far shorter.</summary>
    public const int MaxLineBytes = 1 << 20;

    private static ReadOnlySpan<byte> ByteOrderMark => [0xEF, 0xBB, 0xBF];

    public static async IAsyncEnumerable<RawLine> ReadAsync(Stream stream, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var buffer = new byte[MaxLineBytes];
        var (filled, number, cut, start) = (0, 1L, false, true);
        while (true)
        {
            var read = await stream.ReadAsync(buffer.AsMemory(filled), cancellationToken);
            if (start && filled + read >= ByteOrderMark.Length | read == 0)
            {
                start = false;
                if (buffer.AsSpan(0, filled + read).StartsWith(ByteOrderMark))
                {
                    buffer.AsSpan(0, ByteOrderMark.Length).Clear();
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
                // Keep the beginning to show, and let the rest of the line run through.
                cut = true;
                filled = 1024;
            }
        }
    }
}
