using Embeddings.Core.Models;
using Embeddings.Server;
using Embeddings.TestModels;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Embeddings.IntegrationTests.Infrastructure;

/// <summary>A server in this process, with Kestrel on loopback, free ports, its own data directory, and no log.</summary>
internal sealed class TestServer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly TempFolder? _folder;

    private TestServer(WebApplication app, TempFolder? folder)
    {
        _app = app;
        _folder = folder;
        Address = EmbeddingsServer.GrpcAddress(app);
        Api = new(Address);
        Get<ILoggerFactory>().AddProvider(Events);
    }

    public string Address { get; }

    public string HttpAddress => EmbeddingsServer.HttpAddress(_app)!;

    public Api Api { get; }

    /// <summary>Log events after the start, of the categories that the arguments enable.</summary>
    public LogEvents Events { get; } = new();

    /// <summary>Starts a server with the test models and a temporary directory.</summary>
    public static Task<TestServer> StartAsync(params string[] args) => StartPlainAsync([.. Descriptor.Settings, .. args]);

    /// <summary>Starts a server with services that replace its own, for example a clock.</summary>
    public static Task<TestServer> StartWithAsync(Action<IServiceCollection> services, params string[] args)
    {
        var folder = new TempFolder();
        return StartAsync(folder.Path, folder, [.. Descriptor.Settings, .. args], services);
    }

    /// <summary>Starts a server with the models of the arguments, or the default models.</summary>
    public static Task<TestServer> StartPlainAsync(params string[] args)
    {
        var folder = new TempFolder();
        return StartAsync(folder.Path, folder, args);
    }

    /// <summary>Starts a server with the test models and a directory that the caller owns.</summary>
    public static Task<TestServer> StartOnAsync(string directory, params string[] args) => StartAsync(directory, null, [.. Descriptor.Settings, .. args]);

    public T Get<T>()
        where T : notnull => _app.Services.GetRequiredService<T>();

    /// <summary>Number of items in flight of a model.</summary>
    public int Pending(string model) => Get<ModelCatalog>().Find(model).InFlight;

    /// <summary>Stops the server gracefully, as the end of the process does.</summary>
    public Task StopAsync() => _app.StopAsync().Bound();

    public async ValueTask DisposeAsync()
    {
        Api.Dispose();
        await _app.DisposeAsync();
        _folder?.Dispose();
    }

    private static async Task<TestServer> StartAsync(
        string directory, TempFolder? folder, string[] args, Action<IServiceCollection>? services = null)
    {
        var app = EmbeddingsServer.Create(
            [
                "--Server:GrpcPort=0",
                "--Server:HttpPort=0",
                $"--Store:Embedded:Directory={directory}",
                "--Logging:LogLevel:Default=None",
                .. args,
            ],
            services);
        try
        {
            await app.StartAsync().Bound();
            return new(app, folder);
        }
        catch
        {
            await app.DisposeAsync();
            folder?.Dispose();
            throw;
        }
    }
}
