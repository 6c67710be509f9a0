using Embeddings.Cli.Hosting;
using Embeddings.TestModels;

namespace Embeddings.Cli.Tests.EndToEnd;

/// <summary>A server on free ports with its own store, and the command that calls it.</summary>
public sealed class RunningServer : IAsyncLifetime
{
    private readonly TempFolder _folder = new();
    private LocalServer? _server;

    public string Address => _server!.Address;

    internal static string[] Settings(string data) =>
        ["--Server:GrpcPort=0", "--Server:HttpPort=0", $"--Store:Embedded:Directory={data}", .. Descriptor.Settings];

    public async ValueTask InitializeAsync() =>
        _server = await LocalServer.StartAsync(Settings(_folder.File("data")), quiet: true, default);

    internal Task<CommandResult> RunAsync(params string[] args) => CommandResult.RunAsync([.. args, "--address", Address]);

    public async ValueTask DisposeAsync()
    {
        await _server!.DisposeAsync();
        _folder.Dispose();
    }
}
