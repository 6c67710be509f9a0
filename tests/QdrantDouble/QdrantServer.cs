using System.Net;
using Embeddings.QdrantDouble.Services;
using Embeddings.QdrantDouble.State;
using Embeddings.QdrantDouble.Troubles;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Embeddings.QdrantDouble;

/// <summary>
/// A double of a Qdrant server on the loopback address. It can be stopped and restarted on the same port; with a file,
/// it keeps its data.
/// </summary>
public sealed class QdrantServer(DoubleOptions? options = null) : IAsyncDisposable
{
    private const int MaxMessageBytes = 32 << 20;

    private DoubleOptions _options = options ?? new();
    private WebApplication? _app;

    /// <summary>The injected failures.</summary>
    public TroublePlan Troubles { get; } = new();

    /// <summary>The address, available after the start.</summary>
    public Uri Address => new($"{(_options.Certificate is null ? "http" : "https")}://127.0.0.1:{_options.Port}");

    /// <summary>Starts a new double.</summary>
    public static async Task<QdrantServer> StartNewAsync(DoubleOptions? options = null)
    {
        var server = new QdrantServer(options);
        await server.StartAsync();
        return server;
    }

    public async Task StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Listen(IPAddress.Loopback, _options.Port, listen =>
            {
                listen.Protocols = HttpProtocols.Http2;
                if (_options.Certificate is { } certificate)
                {
                    listen.UseHttps(certificate);
                }
            });
        });
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.Zero);
        builder.Services.AddSingleton(_options).AddSingleton(Troubles).AddSingleton<Database>().AddSingleton<PointsApi>();
        builder.Services.AddGrpc(grpc =>
        {
            grpc.MaxReceiveMessageSize = MaxMessageBytes;
            grpc.MaxSendMessageSize = null;
            grpc.EnableDetailedErrors = true;
            grpc.Interceptors.Add<TroubleInterceptor>();
        });
        var app = builder.Build();
        // An invalid file is reported at the start, not at the first call.
        app.Services.GetRequiredService<Database>();
        app.MapGrpcService<HealthApi>();
        app.MapGrpcService<CollectionsApi>();
        app.MapGrpcService<PointsApi>();
        await app.StartAsync();
        _app = app;
        var addresses = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses;
        _options = _options with { Port = new Uri(addresses.First()).Port };
    }

    /// <summary>Stops at once and aborts running calls.</summary>
    public async Task StopAsync()
    {
        if (Interlocked.Exchange(ref _app, null) is { } app)
        {
            await app.StopAsync();
            await app.DisposeAsync();
        }
    }

    /// <summary>Waits until the program is asked to stop.</summary>
    public Task WaitAsync() => _app is { } app ? ((IHost)app).WaitForShutdownAsync() : Task.CompletedTask;

    public async ValueTask DisposeAsync() => await StopAsync();
}
