using System.IO.Pipelines;
using System.Text;
using Embeddings.Server.Hosting;

namespace Embeddings.Server.Tests.Hosting;

/// <summary>Answers to clear text on a port with TLS, whatever arrives in which pieces.</summary>
public sealed class ClearTextAnswerTests
{
    private const string Text = "This port uses TLS. Use https:// instead of http://.";

    private static readonly byte[] Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8.ToArray();

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(10_000)]
    public async Task The_first_call_of_HTTP_2_is_answered_in_any_pieces(int size)
    {
        byte[] sent = [.. Preface, .. Frame(4, 0, new byte[18]), .. Frame(8, 0, new byte[4]), .. Frame(1, 5, new byte[40]), .. Frame(0, 5, new byte[500])];
        var frames = Frames(await AnswerAsync(sent, size, ClearTextAnswer.AnswerHttp2Async));
        Assert.Equal([(4, 0), (1, 5), (7, 0)], frames.Select(frame => (frame.Type, frame.Stream)));
        Assert.Equal(0x05, frames[1].Flags);
        Assert.Contains("grpc-status", frames[1].Text, StringComparison.Ordinal);
        Assert.EndsWith(Text, frames[1].Text, StringComparison.Ordinal);
        Assert.EndsWith(Text, frames[2].Text, StringComparison.Ordinal);
        Assert.Equal([0, 0, 0, 5, 0, 0, 0, 12], frames[2].Payload[..8]);
    }

    [Fact]
    public async Task A_client_without_a_call_learns_the_text_from_the_end_of_the_connection()
    {
        byte[] tooLarge = [.. Preface, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0, 0, .. new byte[100_000]];
        foreach (var sent in (byte[][])[Preface, Preface[..10], [.. Preface, 0, 0], [.. Preface, .. Frame(4, 0, [])], tooLarge])
        {
            var frames = Frames(await AnswerAsync(sent, 10_000, ClearTextAnswer.AnswerHttp2Async));
            Assert.Equal([(4, 0), (7, 0)], frames.Select(frame => (frame.Type, frame.Stream)));
            Assert.EndsWith(Text, frames[1].Text, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_request_of_HTTP_1_is_answered_and_its_body_is_read_to_a_limit()
    {
        var request = Encoding.ASCII.GetBytes("POST / HTTP/1.1\r\n\r\n");
        var answer = Encoding.ASCII.GetString(await AnswerAsync([.. request, .. new byte[3 << 20]], 100_000, ClearTextAnswer.AnswerHttp1Async));
        Assert.StartsWith("HTTP/1.1 400 Bad Request\r\n", answer, StringComparison.Ordinal);
        Assert.EndsWith($"Content-Length: {Text.Length + 1}\r\n\r\n{Text}\n", answer, StringComparison.Ordinal);
    }

    private static async Task<byte[]> AnswerAsync(byte[] sent, int size, Func<IDuplexPipe, CancellationToken, Task> answer)
    {
        var (toServer, toClient) = (new Pipe(), new Pipe());
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        var sending = Task.Run(async () =>
        {
            foreach (var piece in sent.Chunk(size))
            {
                if ((await toServer.Writer.WriteAsync(piece, limit.Token)).IsCompleted)
                {
                    return;
                }
            }
            await toServer.Writer.CompleteAsync();
        });
        await answer(new Transport(toServer.Reader, toClient.Writer), limit.Token);
        await toServer.Reader.CompleteAsync();
        await toClient.Writer.CompleteAsync();
        await sending;
        using var received = new MemoryStream();
        await toClient.Reader.CopyToAsync(received, limit.Token);
        return received.ToArray();
    }

    private static byte[] Frame(byte type, byte stream, byte[] payload) =>
        [0, (byte)(payload.Length >> 8), (byte)payload.Length, type, 0, 0, 0, 0, stream, .. payload];

    private static List<(int Type, int Flags, int Stream, byte[] Payload, string Text)> Frames(byte[] bytes)
    {
        List<(int Type, int Flags, int Stream, byte[] Payload, string Text)> frames = [];
        for (var at = 0; at < bytes.Length;)
        {
            var size = bytes[at] << 16 | bytes[at + 1] << 8 | bytes[at + 2];
            var payload = bytes[(at + 9)..(at + 9 + size)];
            frames.Add((bytes[at + 3], bytes[at + 4], bytes[at + 8], payload, Encoding.ASCII.GetString(payload)));
            at += 9 + size;
        }
        return frames;
    }

    private sealed record Transport(PipeReader Input, PipeWriter Output) : IDuplexPipe;
}
