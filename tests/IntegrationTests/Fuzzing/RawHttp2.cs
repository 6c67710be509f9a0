using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text;

namespace Embeddings.IntegrationTests.Fuzzing;

/// <summary>HTTP/2 by hand (RFC 9113), for data that no client sends.</summary>
internal static class RawHttp2
{
    public const byte Data = 0;
    public const byte Headers = 1;
    public const byte Reset = 3;
    public const byte Settings = 4;
    public const byte EndStream = 1;
    public const byte EndHeaders = 4;

    private static readonly TimeSpan Silence = TimeSpan.FromMilliseconds(50);

    private static readonly byte[] Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8.ToArray();

    /// <summary>Returns a frame.</summary>
    public static byte[] Frame(byte type, byte flags, int stream, ReadOnlySpan<byte> payload)
    {
        var frame = new byte[9 + payload.Length];
        frame[0] = (byte)(payload.Length >> 16);
        frame[1] = (byte)(payload.Length >> 8);
        frame[2] = (byte)payload.Length;
        frame[3] = type;
        frame[4] = flags;
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(5), stream);
        payload.CopyTo(frame.AsSpan(9));
        return frame;
    }

    /// <summary>Returns a block of headers: literals without indexing and without Huffman codes (RFC 7541, 6.2.2).</summary>
    public static byte[] Block(IEnumerable<(string Name, string Value)> headers)
    {
        var block = new List<byte>();
        foreach (var (name, value) in headers)
        {
            block.Add(0);
            Add(name);
            Add(value);
        }
        return [.. block];

        void Add(string text)
        {
            var bytes = Encoding.UTF8.GetBytes(text);
            if (bytes.Length < 127)
            {
                block.Add((byte)bytes.Length);
            }
            else
            {
                block.Add(127);
                var rest = bytes.Length - 127;
                for (; rest >= 128; rest >>= 7)
                {
                    block.Add((byte)(rest | 128));
                }
                block.Add((byte)rest);
            }
            block.AddRange(bytes);
        }
    }

    /// <summary>
    /// Opens a connection, sends everything, and reads until the server closes, has ended <paramref name="streams"/> streams, or
    /// sends nothing for a while. Returns the number of streams that it has ended: with the last frame of a response or a reset.
    /// </summary>
    public static async Task<int> SendAsync(string host, int port, ReadOnlyMemory<byte> frames, int streams)
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(host, port).WaitAsync(Infrastructure.Bounds.Limit);
        await using var stream = new NetworkStream(socket);
        try
        {
            byte[] all = [.. Preface, .. Frame(Settings, 0, 0, []), .. frames.Span];
            await stream.WriteAsync(all).AsTask().WaitAsync(Infrastructure.Bounds.Limit);
        }
        catch (IOException)
        {
            // The server has closed the connection; it may have said why.
        }
        return await ReadAsync(stream, streams);
    }

    private static async Task<int> ReadAsync(NetworkStream stream, int streams)
    {
        var ended = 0;
        var header = new byte[9];
        using var silence = new CancellationTokenSource();
        try
        {
            while (ended < streams)
            {
                silence.CancelAfter(Silence);
                await stream.ReadExactlyAsync(header, silence.Token);
                var length = (header[0] << 16) | (header[1] << 8) | header[2];
                await stream.ReadExactlyAsync(new byte[length], silence.Token);
                ended += header[3] == Reset || (header[3] <= Headers && (header[4] & EndStream) != 0) ? 1 : 0;
            }
        }
        catch (Exception e) when (e is IOException or EndOfStreamException or OperationCanceledException)
        {
            // Closed, or silent: half-sent frames and messages get no answer.
        }
        return ended;
    }
}
