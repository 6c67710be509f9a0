using Embeddings.Core;
using Embeddings.Core.Memory;
using Embeddings.Server.Audit;
using Embeddings.Server.Grpc;
using Embeddings.Server.Grpc.Admission;
using Embeddings.Server.Grpc.Errors;
using Embeddings.Server.Grpc.Persons;
using Embeddings.Server.Grpc.Photos;
using Embeddings.Server.Grpc.Streaming;
using Embeddings.Server.Hosting;
using Embeddings.Server.Limits;
using Embeddings.Server.Privacy;
using Embeddings.Server.Security;
using Embeddings.Storage;
using Embeddings.Storage.Qdrant;
using Embeddings.Storage.Sqlite;
using Grpc.AspNetCore.Server;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging.Console;
using Microsoft.Extensions.Options;

namespace Embeddings.Server;

/// <summary>Composition of the server: the only place that refers to all of its parts.</summary>
internal static class EmbeddingsServerExtensions
{
    public static void AddEmbeddings(this WebApplicationBuilder builder, string[] args)
    {
        builder.Configuration.AddSettings(args);
        builder.Logging
            // A message per request would cost more than many of the requests; the configuration can enable it.
            .AddFilter("Microsoft.AspNetCore", LogLevel.Warning)
            .AddFilter("Grpc", LogLevel.Warning)
            // An error with a stack trace for each message that cannot be read; ProtocolErrors logs them in one line.
            .AddFilter("Grpc.AspNetCore.Server.ServerCallHandler", LogLevel.Critical)
            // An error with a stack trace for each token while the issuer's keys cannot be fetched; IssuerUnavailable logs it.
            .AddFilter("Microsoft.AspNetCore.Authentication", LogLevel.Critical)
            // An error for each check that fails, every few seconds; the store logs the cause.
            .AddFilter("Microsoft.Extensions.Diagnostics.HealthChecks", LogLevel.Critical)
            .AddConfiguration(builder.Configuration.GetSection("Logging"))
            // The host logs a failed start with a stack trace before it throws; the caller reports it in one line.
            .AddFilter("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.Critical);
        builder.Services
            .AddConsoleFormat(builder.Configuration)
            .AddSettings()
            // The first hosted service: no port opens, and no health check runs, before it has started.
            .AddHostedService<StartUp>()
            .AddAudit()
            .AddHostedService<MemoryKeeper>()
            .AddTls()
            .AddShutdown()
            .AddRepeatedEvents()
            .AddTelemetry(builder.Configuration)
            .AddEmbeddingCoreFrom(services => new()
            {
                Models = services.GetRequiredService<ModelOptions>(),
                Inference = services.GetRequiredService<InferenceOptions>(),
                Batching = services.GetRequiredService<BatchingOptions>(),
                Imaging = services.GetRequiredService<ImagingOptions>(),
                Memory = services.GetRequiredService<MemoryOptions>(),
            })
            .AddPrivacy()
            .AddWebServer()
            .AddGrpcServices(AccessRegistration.IsOn(builder.Configuration))
            .AddAccess(builder.Configuration)
            .AddHealth();
    }

    public static void MapEmbeddings(this WebApplication app)
    {
        var server = app.Services.GetRequiredService<ServerOptions>();
        var tls = app.Services.GetRequiredService<TlsOptions>();
        var authenticationOn = AccessRegistration.IsOn(app.Configuration);
        // Before the hosted services exist, whose creation begins to load the models.
        ExposureRules.Require(server, tls, authenticationOn);
        app.UseMiddleware<WrongPort>();
        if (app.Services.GetRequiredService<AuditOptions>().File.Length > 0)
        {
            // Around everything that may refuse a call.
            app.UseMiddleware<AuditMiddleware>();
        }
        app.UseMiddleware<CertificateGate>();
        app.UseMiddleware<MetadataLimit>();
        app.UseMiddleware<ProtocolErrors>();
        app.UseAccess();
        app.UseMiddleware<MessageDeadlines>();
        app.UseMiddleware<MessageAdmission>();
        app.MapGrpcService<EmbeddingServiceImpl>();
        app.MapGrpcService<FaceServiceImpl>();
        app.MapGrpcService<IngestServiceImpl>();
        app.MapGrpcService<VectorStoreServiceImpl>();
        app.MapGrpcService<ModelServiceImpl>();
        app.MapGrpcService<PersonServiceImpl>();
        app.MapGrpcHealthChecksService().AllowAnonymous();
        if (ExposureRules.ReflectionOn(server, authenticationOn))
        {
            app.MapGrpcReflectionService();
        }
        app.MapHealthChecks("/healthz", new() { Predicate = _ => false }).AllowAnonymous();
        app.MapHealthChecks("/readyz", new() { ResponseWriter = HealthSetup.WriteAsync }).AllowAnonymous();
        AccessTable.RequireRows(((IEndpointRouteBuilder)app).DataSources
            .SelectMany(source => source.Endpoints)
            .Select(AccessPolicy.MethodOf)
            .OfType<string>());
    }

    /// <summary>
    /// Creates the configured store alone, not yet started, for tools that work on stores without a server.
    /// </summary>
    public static ServiceProvider CreateStore(string[] args) => new ServiceCollection()
        .AddLogging(logging => logging
            .SetMinimumLevel(LogLevel.Warning)
            .AddConsole(console => console.LogToStandardErrorThreshold = LogLevel.Trace))
        .AddMetrics()
        .AddSingleton<IConfiguration>(new ConfigurationManager().AddSettings(args))
        .AddSettings()
        .AddVectorStore()
        .BuildServiceProvider();

    private static IServiceCollection AddConsoleFormat(this IServiceCollection services, IConfiguration configuration) => services
        // The host's builder selects its format after the configuration.
        .PostConfigure<ConsoleLoggerOptions>(console =>
            console.FormatterName = configuration["Logging:Console:FormatterName"] ?? console.FormatterName)
        .PostConfigure<SimpleConsoleFormatterOptions>(format => AddTime(format, " "))
        .PostConfigure<JsonConsoleFormatterOptions>(format => AddTime(format, ""));

    private static void AddTime(ConsoleFormatterOptions format, string separator)
    {
        if (format.TimestampFormat is null)
        {
            format.TimestampFormat = $"yyyy-MM-ddTHH:mm:ss.fffZ{separator}";
            format.UseUtcTimestamp = true;
        }
    }

    private static IServiceCollection AddShutdown(this IServiceCollection services)
    {
        services.AddOptions<HostOptions>().Configure<ServerOptions>((host, options) =>
            host.ShutdownTimeout = TimeSpan.FromSeconds(options.DrainSeconds + options.ShutdownSeconds));
        return services
            .AddSingleton<Shutdown>()
            .AddHostedService(services => services.GetRequiredService<Shutdown>());
    }

    private static IServiceCollection AddRepeatedEvents(this IServiceCollection services) => services
        .AddSingleton<LoggerFactory>()
        .AddSingleton<ILoggerFactory>(services =>
            new RepeatedEvents(services.GetRequiredService<LoggerFactory>(), services.GetRequiredService<TimeProvider>()));

    private static IServiceCollection AddVectorStore(this IServiceCollection services) => services
        .AddSingleton(TimeProvider.System)
        .AddSingleton(CreateStore);

    private static IVectorStore CreateStore(IServiceProvider services) =>
        services.GetRequiredService<StoreOptions>().Kind == StoreKind.Qdrant
            ? ActivatorUtilities.CreateInstance<QdrantVectorStore>(services)
            : ActivatorUtilities.CreateInstance<EmbeddedVectorStore>(services);

    private static IServiceCollection AddPrivacy(this IServiceCollection services) => services
        .AddVectorStore()
        .AddSingleton<Receipts>()
        .AddSingleton<Suppression>()
        .AddSingleton<DeletionHandler>()
        // After the store has started.
        .AddHostedService<RetentionSweeper>()
        .AddSingleton<IVectorStore>(services => services.GetRequiredService<Suppression>().List is { } list
            ? ActivatorUtilities.CreateInstance<SuppressingStore>(services, CreateStore(services), list)
            : CreateStore(services));

    private static IServiceCollection AddWebServer(this IServiceCollection services) => services
        .AddSingleton<IMemoryPoolFactory<byte>, TransportBuffers>()
        .AddSingleton<ConnectionGuard>()
        .AddSingleton<IConfigureOptions<KestrelServerOptions>, KestrelSetup>();

    private static IServiceCollection AddTls(this IServiceCollection services) => services
        .AddSingleton<TlsCertificates>()
        .AddSingleton<TlsHandshake>()
        .AddHostedService(services => services.GetRequiredService<TlsCertificates>());

    private static IServiceCollection AddGrpcServices(this IServiceCollection services, bool withAccess)
    {
        services.AddGrpc(grpc =>
        {
            // Responses are bounded while they are made (ResponseBudget).
            grpc.MaxSendMessageSize = null;
            // A compressed message can have any size, which is only known when it is in memory.
            grpc.CompressionProviders.Clear();
            grpc.Interceptors.Add<ItemsInterceptor>();
            grpc.Interceptors.Add<DefaultsInterceptor>();
            // It sees what the client gets.
            grpc.Interceptors.Add<AuditInterceptor>();
            grpc.Interceptors.Add<FaultInterceptor>();
            if (withAccess)
            {
                grpc.Interceptors.Add<AccessInterceptor>();
            }
            grpc.Interceptors.Add<LimitInterceptor>();
            // Behind the checks of access, which see the aliases.
            grpc.Interceptors.Add<AliasInterceptor>();
            grpc.Interceptors.Add<ModelsInterceptor>();
        });
        services.AddOptions<GrpcServiceOptions>()
            .Configure<ServerOptions>((grpc, options) => grpc.MaxReceiveMessageSize = options.MaxMessageBytes);
        return services
            .AddReflection()
            .AddSingleton<MessageRules>()
            .AddSingleton(services => ResponseBudget.Create(
                services.GetRequiredService<ServerOptions>().MaxResponseBytes,
                MemoryBudget.LimitOf(services.GetRequiredService<MemoryOptions>())))
            .AddSingleton<PointCounts>()
            .AddSingleton<CallerLimiter>()
            .AddSingleton<DefaultCollections>()
            .AddSingleton<AliasResolver>()
            .AddSingleton<CollectionModels>()
            .AddSingleton<StreamContext>()
            .AddSingleton<CollectionHandler>()
            .AddSingleton<AttributeHandler>()
            .AddSingleton<PhotoIngest>()
            .AddSingleton<PersonSearch>()
            .AddSingleton<UpsertHandler>()
            .AddSingleton<SearchHandler>()
            .AddSingleton<PersonLocks>()
            .AddSingleton<PersonHandler>()
            .AddSingleton<ClusterHandler>();
    }
}
