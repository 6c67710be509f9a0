using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using Grpc.Health.V1;
using Grpc.HealthCheck;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Embeddings.Client.Tests.Doubles;

/// <summary>A Kestrel server on loopback that implements the contract with the behavior defined by a test.</summary>
internal sealed class ServerDouble : IAsyncDisposable
{
    private readonly WebApplication _app;

    private ServerDouble(WebApplication app, Behaviour behaviour, HealthServiceImpl health)
    {
        _app = app;
        Behaviour = behaviour;
        Health = health;
        Address = new Uri(app.Urls.Single()).Authority;
    }

    public Behaviour Behaviour { get; }

    public HealthServiceImpl Health { get; }

    /// <summary>Address as <c>host:port</c>.</summary>
    public string Address { get; }

    public int Port => int.Parse(Address.Split(':')[1], System.Globalization.CultureInfo.InvariantCulture);

    public static async Task<ServerDouble> StartAsync(
        Behaviour? behaviour = null, int port = 0, bool withHealth = true, X509Certificate2? certificate = null)
    {
        behaviour ??= new Behaviour();
        var health = new HealthServiceImpl();
        health.SetStatus("", HealthCheckResponse.Types.ServingStatus.Serving);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
            kestrel.Listen(IPAddress.Loopback, port, listen =>
            {
                listen.Protocols = HttpProtocols.Http2;
                if (certificate is not null)
                {
                    listen.UseHttps(new HttpsConnectionAdapterOptions
                    {
                        ServerCertificate = certificate,
                        ClientCertificateMode = ClientCertificateMode.AllowCertificate,
                        ClientCertificateValidation = (_, _, _) => true,
                    });
                }
            }));
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromMilliseconds(1));
        builder.Services.AddGrpc(grpc => grpc.MaxReceiveMessageSize = null);
        builder.Services.AddSingleton(behaviour);
        builder.Services.AddSingleton(health);
        var app = builder.Build();
        app.MapGrpcService<EmbeddingDouble>();
        app.MapGrpcService<IngestDouble>();
        app.MapGrpcService<VectorStoreDouble>();
        app.MapGrpcService<ModelsDouble>();
        app.MapGrpcService<FacesDouble>();
        app.MapGrpcService<PersonsDouble>();
        if (withHealth)
        {
            app.MapGrpcService<HealthServiceImpl>();
        }

        await app.StartAsync();
        return new ServerDouble(app, behaviour, health);
    }

    public EmbeddingsClient Client(
        Func<EmbeddingsClientOptions, EmbeddingsClientOptions>? with = null, TimeProvider? time = null)
    {
        var options = new EmbeddingsClientOptions { Addresses = [Address] };
        return new EmbeddingsClient(with?.Invoke(options) ?? options, null, time ?? TimeProvider.System);
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();
}

/// <summary>The system clock with timers that are recorded and fire immediately. Timers that are not started are neither.</summary>
internal sealed class HurriedTime : TimeProvider
{
    public ConcurrentQueue<TimeSpan> Waits { get; } = new();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        if (dueTime == Timeout.InfiniteTimeSpan)
        {
            return base.CreateTimer(callback, state, dueTime, period);
        }

        Waits.Enqueue(dueTime);
        return base.CreateTimer(callback, state, TimeSpan.Zero, Timeout.InfiniteTimeSpan);
    }
}
