using System.Text;
using Embeddings.Tooling.Ingesting;
using FsCheck;
using FsCheck.Fluent;

namespace Embeddings.Tooling.Tests.Ingesting;

public sealed class LineReaderTests
{
    [Theory]
    [InlineData("", new string[0])]
    [InlineData("a", new[] { "a" })]
    [InlineData("a\n", new[] { "a" })]
    [InlineData("a\n\nb", new[] { "a", "", "b" })]
    [InlineData("a\r\nb\r\n", new[] { "a\r", "b\r" })]
    public async Task Lines_end_at_line_breaks(string text, string[] lines) =>
        Assert.Equal(lines, await ReadAsync(Encoding.UTF8.GetBytes(text)));

    [Fact]
    public async Task Line_numbers_start_at_one_and_include_blank_lines()
    {
        var lines = new List<(long Number, bool Blank)>();
        await foreach (var line in LineReader.ReadAsync(new MemoryStream("a\n \t\r\nb"u8.ToArray()), default))
        {
            lines.Add((line.Number, line.IsBlank));
        }
        Assert.Equal([(1, false), (2, true), (3, false)], lines);
    }

    [Fact]
    public async Task A_byte_order_mark_is_blanked_out() =>
        Assert.Equal(["   {}"], await ReadAsync([0xEF, 0xBB, 0xBF, .. "{}"u8]));

    [Fact]
    public async Task A_line_above_the_limit_is_cut_and_the_next_is_complete()
    {
        var text = Encoding.UTF8.GetBytes(new string('x', 3 * LineReader.MaxLineBytes) + "\ngood");
        var lines = new List<(long Number, string Text, bool Cut)>();
        await foreach (var line in LineReader.ReadAsync(new MemoryStream(text), default))
        {
            lines.Add((line.Number, Encoding.UTF8.GetString(line.Bytes.Span[..Math.Min(4, line.Bytes.Length)]), line.IsCut));
        }
        Assert.Equal([(1, "xxxx", true), (2, "good", false)], lines);
    }

    [Fact]
    public void Any_bytes_in_any_chunks_give_the_same_lines_as_a_split() =>
        Check.QuickThrowOnFailure(Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), ArbMap.Default.ArbFor<PositiveInt>(), (bytes, piece) =>
        {
            // A small alphabet, so that there are line breaks.
            var text = (bytes ?? []).Select(value => "a\n{"[value % 3]).ToArray();
            var expected = new string(text).Split('\n').ToList();
            if (expected[^1].Length == 0)
            {
                expected.RemoveAt(expected.Count - 1);
            }
            using var stream = new TrickleStream(Encoding.UTF8.GetBytes(text), (piece.Get % 7) + 1);
            var read = new List<string>();
            var lines = LineReader.ReadAsync(stream, default).GetAsyncEnumerator();
            while (lines.MoveNextAsync().AsTask().GetAwaiter().GetResult())
            {
                read.Add(Encoding.UTF8.GetString(lines.Current.Bytes.Span));
            }
            return expected.SequenceEqual(read);
        }));

    private static async Task<List<string>> ReadAsync(byte[] bytes)
    {
        var lines = new List<string>();
        await foreach (var line in LineReader.ReadAsync(new MemoryStream(bytes), default))
        {
            lines.Add(Encoding.UTF8.GetString(line.Bytes.Span));
        }
        return lines;
    }

    private sealed class TrickleStream(byte[] bytes, int piece) : MemoryStream(bytes)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..Math.Min(piece, buffer.Length)], cancellationToken);
    }
}
