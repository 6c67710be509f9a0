using System.Net;
using System.Net.Sockets;

namespace Embeddings.Testing;

/// <summary>
/// A real Qdrant (<c>QDRANT_BINARY</c>) as a process of its own, on free loopback ports and with a folder that is deleted
/// with it. Settings are Qdrant's own environment variables.
/// </summary>
public sealed class QdrantNode : IAsyncDisposable
{
    private const int MaxStarts = 3;

    private readonly TempFolder _folder = new();
    private readonly Dictionary<string, string> _settings;
    private readonly string[] _arguments;
    private readonly int _http;
    private readonly int _grpc;
    private ChildProcess? _process;

    private QdrantNode(IEnumerable<KeyValuePair<string, string>>? settings, bool inCluster, Uri? bootstrap)
    {
        var ports = Tool.FreePorts(3);
        (_http, _grpc) = (ports[0], ports[1]);
        Peers = new($"http://127.0.0.1:{ports[2]}");
        _settings = new(settings ?? [])
        {
            ["QDRANT__TELEMETRY_DISABLED"] = "true",
            ["QDRANT__SERVICE__HOST"] = "127.0.0.1",
            ["QDRANT__SERVICE__HTTP_PORT"] = $"{_http}",
            ["QDRANT__SERVICE__GRPC_PORT"] = $"{_grpc}",
        };
        _arguments = [];
        if (inCluster)
        {
            _settings["QDRANT__CLUSTER__ENABLED"] = "true";
            _settings["QDRANT__CLUSTER__P2P__PORT"] = $"{Peers.Port}";
            _arguments = ["--uri", Peers.AbsoluteUri.TrimEnd('/')];
        }
        if (bootstrap is not null)
        {
            _arguments = [.. _arguments, "--bootstrap", bootstrap.AbsoluteUri.TrimEnd('/')];
        }
    }

    /// <summary>The address of its gRPC port.</summary>
    public Uri Address =>
        new($"{(_settings.ContainsKey("QDRANT__SERVICE__ENABLE_TLS") ? "https" : "http")}://127.0.0.1:{_grpc}");

    /// <summary>The address of its HTTP port.</summary>
    public Uri HttpAddress => new($"http://127.0.0.1:{_http}");

    /// <summary>The address that other nodes of its cluster use.</summary>
    public Uri Peers { get; }

    public string Log => _process!.Output;

    /// <summary>Starts a node and waits until it takes connections.</summary>
    /// <param name="settings">Environment variables such as <c>QDRANT__SERVICE__API_KEY</c>.</param>
    /// <param name="inCluster">Whether it is a node of a cluster.</param>
    /// <param name="bootstrap">The first node's <see cref="Peers"/>; null for the first node.</param>
    public static async Task<QdrantNode> StartAsync(
        IEnumerable<KeyValuePair<string, string>>? settings = null, bool inCluster = false, Uri? bootstrap = null)
    {
        for (var start = 1; ; start++)
        {
            var node = new QdrantNode(settings, inCluster, bootstrap);
            try
            {
                await node.RestartAsync();
                return node;
            }
            // Another program may have taken a port between the choice and the start.
            catch (InvalidOperationException)
                when (start < MaxStarts && node.Log.Contains("Address already in use", StringComparison.Ordinal))
            {
                await node.DisposeAsync();
            }
            catch
            {
                await node.DisposeAsync();
                throw;
            }
        }
    }

    /// <summary>Ends it without warning.</summary>
    public Task KillAsync() => _process!.KillAsync();

    /// <summary>Starts it again after a kill, on the same ports and data.</summary>
    public async Task RestartAsync()
    {
        _process?.Dispose();
        _process = ChildProcess.Start(Tool.Path("QDRANT_BINARY"), _arguments, _folder.Path, _settings);
        await _process.SeenAsync("gRPC listening");
        // The line is written just before the port opens.
        while (!await TakesConnectionsAsync() && !_process.Ended.IsCompleted)
        {
            await Task.Delay(10);
        }
    }

    public ValueTask DisposeAsync()
    {
        _process?.Dispose();
        _folder.Dispose();
        return default;
    }

    private async Task<bool> TakesConnectionsAsync()
    {
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync(IPAddress.Loopback, _grpc);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
