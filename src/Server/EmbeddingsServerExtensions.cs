using Embeddings.Core;
using Embeddings.Server.Grpc;
using Embeddings.Server.Grpc.Errors;
using Embeddings.Server.Grpc.Streaming;
using Embeddings.Server.Hosting;
using Embeddings.Storage;
using Embeddings.Storage.Qdrant;
using Embeddings.Storage.Sqlite;
using Microsoft.AspNetCore.Connections;

namespace Embeddings.Server;

/// <summary>Puts the parts together: the one place that knows all of them.</summary>
internal static class EmbeddingsServerExtensions
{
    private const string NewCollections = "NewCollections";

    public static void AddEmbeddings(this WebApplicationBuilder builder, string[] args)
    {
        // Arguments last: they win over the environment.
        builder.Configuration.AddEnvironmentVariables("EMBEDDINGS_").AddCommandLine(args);
        // A line for every request would cost more than many a request; configuration can still ask for it.
        builder.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning).AddFilter("Grpc", LogLevel.Warning).AddConfiguration(builder.Configuration.GetSection("Logging"));
        var options = builder.Configuration.Read<ServerOptions>("Server");
        builder.Services.AddSingleton<IMemoryPoolFactory<byte>, TransportBuffers>();
        builder.WebHost.ConfigureKestrel(kestrel => KestrelSetup.Configure(kestrel, options));

        // The host logs a start that failed with its stack before it throws; whoever started it says it in one line.
        builder.Logging.AddFilter("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.Critical);

        builder.Services.AddSingleton(options);
        builder.Services.AddSingleton(TimeProvider.System);
        // The first of the hosted services: health is not asked, and no port is open, before it has ended.
        builder.Services.AddHostedService<StartUp>();
        builder.Services
            .AddDiagnostics(builder.Configuration)
            .AddEmbeddingCore(ReadCoreOptions(builder.Configuration))
            .AddStore(builder.Configuration)
            .AddServices(options);
    }

    public static void MapEmbeddings(this WebApplication app)
    {
        app.UseMiddleware<ProtocolErrors>();
        app.MapGrpcService<EmbeddingServiceImpl>();
        app.MapGrpcService<IngestServiceImpl>();
        app.MapGrpcService<VectorStoreServiceImpl>();
        app.MapGrpcService<ModelServiceImpl>();
        app.MapGrpcHealthChecksService();
        app.MapGrpcReflectionService();
        app.MapHealthChecks("/healthz", new() { Predicate = _ => false });
        app.MapHealthChecks("/readyz", new() { ResponseWriter = HealthSetup.WriteAsync });
    }

    /// <summary>A store alone, as the configuration has it, not yet started: for tools that work on stores without a server.</summary>
    public static ServiceProvider CreateStore(string[] args) => new ServiceCollection()
        .AddLogging(logging => logging.SetMinimumLevel(LogLevel.Warning).AddConsole(console => console.LogToStandardErrorThreshold = LogLevel.Trace))
        .AddMetrics()
        .AddSingleton(TimeProvider.System)
        .AddStore(new ConfigurationBuilder().AddEnvironmentVariables("EMBEDDINGS_").AddCommandLine(args).Build())
        .BuildServiceProvider();

    private static IServiceCollection AddDiagnostics(this IServiceCollection services, IConfiguration configuration) => services
        .AddMetrics()
        .AddSingleton(configuration.Read<TelemetryOptions>("Telemetry"))
        .AddHostedService<TelemetryExport>();

    private static EmbeddingCoreOptions ReadCoreOptions(IConfiguration configuration) => new()
    {
        Models = configuration.Read<ModelOptions>("Models"),
        Inference = configuration.Read<InferenceOptions>("Inference"),
        Batching = configuration.Read<BatchingOptions>("Batching"),
        Imaging = configuration.Read<ImagingOptions>("Imaging"),
    };

    private static IServiceCollection AddStore(this IServiceCollection services, IConfiguration configuration)
    {
        var options = configuration.Read<StoreOptions>("Store", nameof(StoreKind.Embedded), nameof(StoreKind.Qdrant));
        services.AddSingleton(options);
        return options.Kind == StoreKind.Qdrant
            ? services
                .AddSingleton(configuration.Read<QdrantStoreOptions>("Store:Qdrant", NewCollections))
                .AddSingleton(configuration.Read<QdrantCollectionOptions>($"Store:Qdrant:{NewCollections}"))
                .AddSingleton<IVectorStore, QdrantVectorStore>()
            : services
                .AddSingleton(configuration.Read<EmbeddedStoreOptions>("Store:Embedded"))
                .AddSingleton<IVectorStore, EmbeddedVectorStore>();
    }

    private static IServiceCollection AddServices(this IServiceCollection services, ServerOptions options)
    {
        services.AddGrpc(grpc =>
        {
            grpc.MaxReceiveMessageSize = options.MaxMessageBytes;
            // What the server sends is bounded by what can be asked for.
            grpc.MaxSendMessageSize = null;
            grpc.EnableDetailedErrors = false;
            grpc.Interceptors.Add<FaultInterceptor>();
        });
        services.AddGrpcReflection();
        HealthSetup.Add(services);
        return services
            .AddSingleton<StreamContext>()
            .AddSingleton<UpsertHandler>()
            .AddSingleton<SearchHandler>();
    }
}
