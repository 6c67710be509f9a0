using Embeddings.Server;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Hosting;

namespace Embeddings.Cli.Hosting;

/// <summary>A server in this process. It logs to standard error, because standard output belongs to the command.</summary>
internal sealed class LocalServer : IAsyncDisposable
{
    private const string LogToStandardError = "--Logging:Console:LogToStandardErrorThreshold=Trace";

    private readonly WebApplication _app;

    private LocalServer(WebApplication app) => _app = app;

    /// <summary>Address for clients on this machine.</summary>
    public string Address => Dialable(EmbeddingsServer.GrpcAddress(_app));

    /// <summary>Address of the HTTP health endpoints, or null if there is none.</summary>
    public string? HttpAddress => EmbeddingsServer.HttpAddress(_app) is { } url ? Dialable(url) : null;

    /// <summary>Starts a server.</summary>
    /// <param name="arguments">Settings of the server, <c>--Section:Key=value</c>.</param>
    /// <param name="quiet">Whether it logs only warnings and errors.</param>
    /// <param name="cancellationToken">Cancels the start.</param>
    /// <exception cref="ToolException">A port is in use.</exception>
    public static async Task<LocalServer> StartAsync(
        IEnumerable<string> arguments, bool quiet, CancellationToken cancellationToken)
    {
        IEnumerable<string> level = quiet ? ["--Logging:LogLevel:Default=Warning"] : [];
        var app = EmbeddingsServer.Create([LogToStandardError, .. level, .. arguments]);
        try
        {
            await app.StartAsync(cancellationToken);
            return new LocalServer(app);
        }
        catch (Exception e)
        {
            await app.DisposeAsync();
            throw e is IOException
                ? new ToolException($"{e.Message} Choose another with --grpc-port and --http-port.")
                : e;
        }
    }

    public Task WaitForShutdownAsync(CancellationToken cancellationToken) => _app.WaitForShutdownAsync(cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
    }

    // A wildcard address is valid to listen on but not to connect to.
    private static string Dialable(string url)
    {
        var address = new UriBuilder(url);
        address.Host = address.Host switch
        {
            "0.0.0.0" => "127.0.0.1",
            "[::]" => "[::1]",
            var host => host,
        };
        return address.Uri.GetLeftPart(UriPartial.Authority);
    }
}
