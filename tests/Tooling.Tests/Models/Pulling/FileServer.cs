using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Embeddings.Tooling.Tests;

/// <summary>
/// An HTTP server on loopback whose responses a test writes byte by byte, so that it can do what no real server should.
/// </summary>
internal sealed class FileServer : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();

    /// <param name="answer">
    /// Receives the number of the request from 0, its path and the start of its range, and writes the response.
    /// </param>
    public FileServer(Func<int, string, long, NetworkStream, CancellationToken, Task> answer)
    {
        _listener.Start();
        _ = AcceptAsync(answer);
    }

    public Uri Url(string path = "model.onnx") => new($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/{path}");

    public int Requests { get; private set; }

    /// <summary>Writes headers and a body.</summary>
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

    private static async Task AnswerAsync(
        TcpClient client, int number, Func<int, string, long, NetworkStream, CancellationToken, Task> answer, CancellationToken stopping)
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
                // The client is gone.
            }
        }
    }
}
