using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using System.Text;

namespace Embeddings.Server.Hosting;

/// <summary>
/// Answers of a port with TLS to clients that send clear text, in the protocol of the client, so that its error says what to do. No
/// request is read: the connection does not reach the web server.
/// </summary>
internal static class ClearTextAnswer
{
    private const string Text = "This port uses TLS. Use https:// instead of http://.";

    // RFC 9113: sizes of the preface and of the head of a frame, and the largest frame before other settings.
    private const int PrefaceBytes = 24;
    private const int FrameHead = 9;
    private const int MaxFrame = 1 << 14;

    // Limit before the first request: settings, window updates, pings.
    private const int MaxBeforeRequest = 4 * MaxFrame;

    // Bytes that are read after the answer, at most. A connection that is closed with unread bytes is reset, and the answer can be lost.
    private const int MaxDrain = 1 << 20;

    private enum Frame : byte
    {
        Headers = 1,
        Settings = 4,
        GoAway = 7,
    }

    /// <summary>Answers a request of HTTP/1.1.</summary>
    public static async Task AnswerHttp1Async(IDuplexPipe transport, CancellationToken cancellationToken)
    {
        var answer = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n"
            + $"Content-Length: {Text.Length + 1}\r\n\r\n{Text}\n";
        await transport.Output.WriteAsync(Encoding.ASCII.GetBytes(answer), cancellationToken);
        await DrainAsync(transport.Input, cancellationToken);
    }

    /// <summary>Answers the first call of HTTP/2 with a status of gRPC, and ends the connection with the same text.</summary>
    public static async Task AnswerHttp2Async(IDuplexPipe transport, CancellationToken cancellationToken)
    {
        await transport.Output.WriteAsync(Bytes(Frame.Settings, 0, 0, []), cancellationToken);
        if (await FirstStreamAsync(transport.Input, cancellationToken) is { } stream)
        {
            await transport.Output.WriteAsync(CallAnswer(stream), cancellationToken);
            await transport.Output.WriteAsync(GoAway(stream), cancellationToken);
        }
        else
        {
            await transport.Output.WriteAsync(GoAway(0), cancellationToken);
        }
        await DrainAsync(transport.Input, cancellationToken);
    }

    // Returns the number of the first stream, or null if the client sends something else first.
    private static async Task<int?> FirstStreamAsync(PipeReader input, CancellationToken cancellationToken)
    {
        var skip = PrefaceBytes;
        var read = 0L;
        while (read < MaxBeforeRequest)
        {
            var result = await input.ReadAsync(cancellationToken);
            var buffer = result.Buffer;
            int? found = null;
            while (found is null && buffer.Length > skip && HeadAt(buffer, skip) is var (size, type, stream))
            {
                if (type == (byte)Frame.Headers)
                {
                    found = stream;
                }
                skip += size > MaxFrame ? MaxBeforeRequest : FrameHead + size;
            }
            var done = (int)Math.Min(skip, buffer.Length);
            skip -= done;
            read += done;
            input.AdvanceTo(buffer.GetPosition(done), buffer.End);
            if (found is not null || result.IsCompleted || result.IsCanceled)
            {
                return found;
            }
        }
        return null;
    }

    private static (int Size, byte Type, int Stream)? HeadAt(ReadOnlySequence<byte> buffer, int offset)
    {
        if (buffer.Length < offset + FrameHead)
        {
            return null;
        }
        Span<byte> head = stackalloc byte[FrameHead];
        buffer.Slice(offset, FrameHead).CopyTo(head);
        return (head[0] << 16 | head[1] << 8 | head[2], head[3], BinaryPrimitives.ReadInt32BigEndian(head[5..]) & int.MaxValue);
    }

    // HPACK (RFC 7541): :status 200 is entry 8 of the static table, content-type the name of entry 31. UNIMPLEMENTED, since repeating
    // the call does not help.
    private static byte[] CallAnswer(int stream) => Bytes(
        Frame.Headers,
        // END_HEADERS and END_STREAM.
        flags: 0x05,
        stream,
        [
            0x88,
            0x0F, 31 - 15, .. Literal("application/grpc"),
            0x00, .. Literal("grpc-status"), .. Literal("12"),
            0x00, .. Literal("grpc-message"), .. Literal(Text),
        ]);

    private static byte[] GoAway(int lastStream)
    {
        // INADEQUATE_SECURITY.
        const int Code = 0xC;
        var payload = new byte[8 + Text.Length];
        BinaryPrimitives.WriteInt32BigEndian(payload, lastStream);
        BinaryPrimitives.WriteInt32BigEndian(payload.AsSpan(4), Code);
        Encoding.ASCII.GetBytes(Text, payload.AsSpan(8));
        return Bytes(Frame.GoAway, 0, 0, payload);
    }

    // A text of at most 126 bytes, not Huffman-coded.
    private static byte[] Literal(string text) => [(byte)text.Length, .. Encoding.ASCII.GetBytes(text)];

    private static byte[] Bytes(Frame type, byte flags, int stream, byte[] payload)
    {
        var frame = new byte[FrameHead + payload.Length];
        frame[1] = (byte)(payload.Length >> 8);
        frame[2] = (byte)payload.Length;
        frame[3] = (byte)type;
        frame[4] = flags;
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(5), stream);
        payload.CopyTo(frame, FrameHead);
        return frame;
    }

    private static async Task DrainAsync(PipeReader input, CancellationToken cancellationToken)
    {
        for (long read = 0; read < MaxDrain;)
        {
            var result = await input.ReadAsync(cancellationToken);
            read += result.Buffer.Length;
            input.AdvanceTo(result.Buffer.End);
            if (result.IsCompleted || result.IsCanceled)
            {
                return;
            }
        }
    }
}
