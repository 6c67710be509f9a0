using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;

namespace Embeddings.Client.Tests.Doubles;

/// <summary>HAProxy in front of a server. It ends a stream that is idle for two seconds, without trailers.</summary>
internal sealed class Proxy : IDisposable
{
    private readonly TempFolder _folder = new();

    private Proxy()
    {
    }

    /// <summary>Program, or null if it is not installed. It is not on the PATH of every user.</summary>
    public static string? Program { get; } = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .Append("/usr/sbin")
        .Select(folder => Path.Combine(folder, "haproxy"))
        .FirstOrDefault(File.Exists);

    private string SocketPath => Path.Combine(_folder.Path, "socket");

    private string PidPath => Path.Combine(_folder.Path, "pid");

    public static async Task<Proxy> StartAsync(ServerDouble server)
    {
        var proxy = new Proxy();
        var configuration = Path.Combine(proxy._folder.Path, "haproxy.cfg");
        await File.WriteAllTextAsync(configuration, $"""
            defaults
              mode http
              timeout connect 5s
              timeout client 2s
              timeout server 2s
            listen embeddings
              bind unix@{proxy.SocketPath} proto h2
              server embeddings {server.Address} proto h2

            """);
        // As a daemon, it returns when it listens.
        using var start = Process.Start(Program!, ["-D", "-q", "-p", proxy.PidPath, "-f", configuration]);
        await start.WaitForExitAsync();
        Assert.Equal(0, start.ExitCode);
        return proxy;
    }

    public EmbeddingsClient Client() => new(new EmbeddingsClientOptions
    {
        Addresses = ["localhost"],
        ConfigureHandler = handler => handler.ConnectCallback = async (_, cancellationToken) =>
        {
            var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(SocketPath), cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        },
    });

    public void Dispose()
    {
        var id = int.Parse(File.ReadAllText(PidPath).Trim(), CultureInfo.InvariantCulture);
        using (var process = Process.GetProcessById(id))
        {
            process.Kill();
        }

        _folder.Dispose();
    }
}
