using System.Net;
using Embeddings.Server;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Hosting;

namespace Embeddings.Cli.Hosting;

/// <summary>A server within this process. Its log goes to standard error: standard output is the command's.</summary>
internal sealed class LocalServer : IAsyncDisposable
{
    private const string LogToStandardError = "--Logging:Console:LogToStandardErrorThreshold=Trace";

    private readonly WebApplication _app;

    private LocalServer(WebApplication app) => _app = app;

    /// <summary>Where a client on this machine finds it.</summary>
    public string Address => Dialable(EmbeddingsServer.GrpcAddress(_app));

    /// <summary>Where its health is asked over HTTP; null where it does not listen there.</summary>
    public string? HttpAddress => EmbeddingsServer.HttpAddress(_app) is { } url ? Dialable(url) : null;

    /// <summary>Starts one; <see cref="CliException"/> where a port is taken.</summary>
    /// <param name="arguments">The server's arguments, <c>--Section:Key=value</c>.</param>
    /// <param name="quiet">Whether it logs warnings and errors alone.</param>
    /// <param name="cancellationToken">Ends the start.</param>
    public static async Task<LocalServer> StartAsync(IEnumerable<string> arguments, bool quiet, CancellationToken cancellationToken)
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
            throw e is IOException ? new CliException($"{e.Message} Choose another with --grpc-port and --http-port.") : e;
        }
    }

    public Task WaitForShutdownAsync(CancellationToken cancellationToken) => _app.WaitForShutdownAsync(cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
    }

    // Any address is one to listen on, but none to connect to.
    private static string Dialable(string url)
    {
        var address = new UriBuilder(url);
        if (IPAddress.TryParse(address.Host.Trim('[', ']'), out var ip) && (ip.Equals(IPAddress.Any) || ip.Equals(IPAddress.IPv6Any)))
        {
            address.Host = ip.Equals(IPAddress.Any) ? "127.0.0.1" : "[::1]";
        }
        return address.Uri.GetLeftPart(UriPartial.Authority);
    }
}
