using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Embeddings.Cli.Tests.Pulling;

/// <summary>A server on loopback that answers each connection as a test says, byte by byte: it must be able to do what no real server should.</summary>
internal sealed class FileServer : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();

    /// <param name="answer">Gets the number of the request from 0, its path and where its range begins; writes what it likes.</param>
    public FileServer(Func<int, string, long, NetworkStream, CancellationToken, Task> answer)
    {
        _listener.Start();
        _ = AcceptAsync(answer);
    }

    public Uri Url(string path = "model.onnx") => new($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/{path}");

    public int Requests { get; private set; }

    /// <summary>Headers, and then as much of a body as there is.</summary>
    public static async Task SendAsync(NetworkStream stream, string headers, ReadOnlyMemory<byte> body = default)
    {
        await stream.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 {headers}\r\nConnection: close\r\n\r\n"));
        await stream.WriteAsync(body);
        await stream.FlushAsync();
    }

    public void Dispose()
    {
        _stop.Cancel();
        _listener.Stop();
        _stop.Dispose();
    }

    private async Task AcceptAsync(Func<int, string, long, NetworkStream, CancellationToken, Task> answer)
    {
        var stopping = _stop.Token;
        try
        {
            while (true)
            {
                var client = await _listener.AcceptTcpClientAsync(stopping);
                _ = AnswerAsync(client, Requests++, answer, stopping);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private static async Task AnswerAsync(TcpClient client, int number, Func<int, string, long, NetworkStream, CancellationToken, Task> answer, CancellationToken stopping)
    {
        using (client)
        {
            try
            {
                var stream = client.GetStream();
                using var reader = new StreamReader(stream, Encoding.ASCII, leaveOpen: true);
                var path = (await reader.ReadLineAsync(stopping) ?? "GET / ").Split(' ')[1];
                var from = 0L;
                while (await reader.ReadLineAsync(stopping) is { Length: > 0 } header)
                {
                    if (header.StartsWith("Range: bytes=", StringComparison.OrdinalIgnoreCase))
                    {
                        from = long.Parse(header["Range: bytes=".Length..].TrimEnd('-'), System.Globalization.CultureInfo.InvariantCulture);
                    }
                }
                await answer(number, path, from, stream, stopping);
            }
            catch (Exception e) when (e is IOException or OperationCanceledException)
            {
                // The other side has gone.
            }
        }
    }
}
