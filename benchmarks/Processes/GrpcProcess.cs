using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Embeddings.Benchmarks.Models;
using Grpc.Core;
using Grpc.Health.V1;
using Grpc.Net.Client;

namespace Embeddings.Benchmarks.Processes;

/// <summary>A gRPC server of its own process that says it serves.</summary>
internal sealed class GrpcProcess : IDisposable
{
    private const int Tries = 3;
    private const string ServerProgram = "Embeddings.Server";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly ChildProcess _process;

    private GrpcProcess(ChildProcess process, string address, TimeSpan startup)
    {
        _process = process;
        Address = address;
        Startup = startup;
    }

    public string Address { get; }

    /// <summary>From the start of the process until it said that it serves.</summary>
    public TimeSpan Startup { get; }

    public TimeSpan Cpu => _process.Cpu;

    public long Memory => _process.Memory;

    /// <summary>This project's server with these models and an empty store of its own.</summary>
    public static Task<GrpcProcess> ServerAsync(string store, IEnumerable<BenchModel> models, params IEnumerable<string> settings) =>
        ServerAsync(store, models, null, settings);

    /// <summary>The same with TLS and a key, if they are given.</summary>
    public static Task<GrpcProcess> ServerAsync(
        string store, IEnumerable<BenchModel> models, ServerSecurity? security, params IEnumerable<string> settings) =>
        StartAsync(ServerProgram, port => [.. Arguments(port, store, models), .. security?.Settings ?? [], .. settings], security: security);

    /// <summary>The same with environment variables.</summary>
    public static Task<GrpcProcess> TracedServerAsync(string store, BenchModel model, IReadOnlyDictionary<string, string> environment) =>
        StartAsync(port => ChildProcess.Start(ServerProgram, Arguments(port, store, [model]), environment));

    /// <summary>The bare echo.</summary>
    public static Task<GrpcProcess> EchoAsync() =>
        StartAsync("Embeddings.Benchmarks", static port => ["serve-echo", "--port", port.ToString(CultureInfo.InvariantCulture)]);

    /// <summary>The tests' double of a Qdrant server. It has no health service of gRPC's own, only Qdrant's.</summary>
    public static Task<GrpcProcess> QdrantDoubleAsync() =>
        StartAsync("Embeddings.QdrantDouble", static port => ["--port", port.ToString(CultureInfo.InvariantCulture)], hasHealth: false);

    /// <summary>Starts a program of this folder on a free port and waits until it serves.</summary>
    public static Task<GrpcProcess> StartAsync(
        string program, Func<int, IEnumerable<string>> arguments, bool hasHealth = true, ServerSecurity? security = null) =>
        StartAsync(port => ChildProcess.Start(program, arguments(port)), hasHealth, security);

    /// <summary>Starts a process on a free port and waits until it serves.</summary>
    public static async Task<GrpcProcess> StartAsync(Func<int, ChildProcess> start, bool hasHealth = true, ServerSecurity? security = null)
    {
        for (var left = Tries - 1; ; left--)
        {
            try
            {
                return await StartOnceAsync(start, hasHealth, security);
            }
            catch (BenchException) when (left > 0)
            {
                // Somebody else may have taken the port between its choice and the program's start.
            }
        }
    }

    /// <summary>Ends it as the operating system does at a shutdown, and waits until it has ended.</summary>
    public Task StopAsync() => _process.StopAsync();

    /// <summary>Ends it at once.</summary>
    public void Kill() => _process.Kill();

    /// <summary>Ends it. A server that has ended by itself says why.</summary>
    public void Dispose()
    {
        if (_process.HasExited && !_process.IsEnded)
        {
            Console.Error.WriteLine($"a server has ended; it said:\n{_process.Output}");
        }
        _process.Dispose();
    }

    private static IEnumerable<string> Arguments(int port, string store, IEnumerable<BenchModel> models)
    {
        string[] folders = [.. models.Select(static model => model.Directory)];
        return
        [
            $"--Server:GrpcPort={port}", "--Server:HttpPort=-1", $"--Store:Embedded:Directory={store}", "--Logging:LogLevel:Default=Warning",
            .. folders.Length > 0 ? ["--Models:UseDefaults=false"] : Array.Empty<string>(),
            .. folders.Select(static (folder, i) => $"--Models:Directories:{i}={folder}"),
        ];
    }

    private static async Task<GrpcProcess> StartOnceAsync(Func<int, ChildProcess> start, bool hasHealth, ServerSecurity? security)
    {
        var port = FreePort();
        var address = $"{(security is null ? "http" : "https")}://127.0.0.1:{port}";
        var began = Stopwatch.GetTimestamp();
        var process = start(port);
        try
        {
            await WaitAsync(process, port, address, began, hasHealth, security);
            return new(process, address, Stopwatch.GetElapsedTime(began));
        }
        catch
        {
            process.Dispose();
            throw;
        }
    }

    // Asked often: what is waited for is a figure of its own (P9). A connection is tried first, since a failed call costs more than a refused one.
    private static async Task WaitAsync(
        ChildProcess process, int port, string address, long began, bool hasHealth, ServerSecurity? security)
    {
        while (!await ListensAsync(port))
        {
            ThrowIfGone(process, began);
            await Task.Delay(5);
        }
        using var channel = GrpcChannel.ForAddress(address, security?.Channel() ?? new());
        var health = new Health.HealthClient(channel);
        while (hasHealth && !await ServesAsync(health))
        {
            ThrowIfGone(process, began);
            await Task.Delay(5);
        }
    }

    private static async Task<bool> ListensAsync(int port)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(IPAddress.Loopback, port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static async Task<bool> ServesAsync(Health.HealthClient health)
    {
        try
        {
            return (await health.CheckAsync(new HealthCheckRequest())).Status == HealthCheckResponse.Types.ServingStatus.Serving;
        }
        catch (RpcException)
        {
            return false;
        }
    }

    private static void ThrowIfGone(ChildProcess process, long began)
    {
        if (process.HasExited || Stopwatch.GetElapsedTime(began) > Patience)
        {
            throw new BenchException($"a server did not start; it said:\n{process.Output}");
        }
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
