using Embeddings.Client.Calls;
using Embeddings.Client.Streaming;
using Embeddings.V1;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Embeddings.Client;

/// <summary>
/// Client of the Embeddings service, which embeds images and the faces of photos, stores their vectors, and searches
/// them. Create one instance and reuse it: it owns the connections and is thread-safe. Every RPC of the contract has a method
/// of the same name; <see cref="EmbeddingsClientExtensions"/> has shorter forms. All methods are virtual so that a test
/// double can override the ones that it needs.
/// </summary>
public partial class EmbeddingsClient : IDisposable
{
    private readonly GrpcChannel? _channel;
    private readonly CallInvoker _invoker;
    private readonly CallInvoker _calls;
    private readonly EmbeddingsClientOptions _options;
    private readonly TimeProvider _time;
    private readonly ILoggerFactory? _loggerFactory;
    private readonly ILogger _logger;
    private readonly UnaryCaller _unary;
    private readonly EmbeddingService.EmbeddingServiceClient _embedding;
    private readonly IngestService.IngestServiceClient _ingest;
    private readonly VectorStoreService.VectorStoreServiceClient _vectorStore;
    private readonly ModelService.ModelServiceClient _models;
    private readonly FaceService.FaceServiceClient _faces;
    private readonly PersonService.PersonServiceClient _persons;

    /// <summary>Creates a client. It connects when the first call is made.</summary>
    /// <param name="options">Addresses of the servers and client settings.</param>
    /// <param name="loggerFactory">
    /// Receives the log messages of the client and of the underlying gRPC client, or null to disable logging.
    /// </param>
    /// <exception cref="ArgumentException">An option is out of range. The message names the option.</exception>
    public EmbeddingsClient(EmbeddingsClientOptions options, ILoggerFactory? loggerFactory = null)
        : this(options, loggerFactory, TimeProvider.System)
    {
    }

    /// <summary>
    /// Creates a test double without a server. A member that the derived class does not override throws
    /// <see cref="NotImplementedException"/>.
    /// </summary>
    protected EmbeddingsClient()
        : this(new NoServer().Invoker, new EmbeddingsClientOptions(), loggerFactory: null, TimeProvider.System)
    {
    }

    internal EmbeddingsClient(EmbeddingsClientOptions options, ILoggerFactory? loggerFactory, TimeProvider time)
        : this(ChannelFactory.Create(options, loggerFactory), options, loggerFactory, time)
    {
    }

    internal EmbeddingsClient(
        CallInvoker invoker, EmbeddingsClientOptions options, ILoggerFactory? loggerFactory, TimeProvider time)
    {
        _invoker = invoker;
        _options = options with { };
        _time = time;
        _loggerFactory = loggerFactory;
        _logger = (ILogger?)loggerFactory?.CreateLogger<EmbeddingsClient>() ?? NullLogger.Instance;
        _unary = new UnaryCaller(_options, time);
        _calls = CallSettings.Apply(invoker, _options);
        _embedding = new EmbeddingService.EmbeddingServiceClient(_calls);
        _ingest = new IngestService.IngestServiceClient(_calls);
        _vectorStore = new VectorStoreService.VectorStoreServiceClient(_calls);
        _models = new ModelService.ModelServiceClient(_calls);
        _faces = new FaceService.FaceServiceClient(_calls);
        _persons = new PersonService.PersonServiceClient(_calls);
    }

    private EmbeddingsClient(
        GrpcChannel channel, EmbeddingsClientOptions options, ILoggerFactory? loggerFactory, TimeProvider time)
        : this(channel.CreateCallInvoker(), options, loggerFactory, time)
    {
        _channel = channel;
    }

    internal EmbeddingsClientOptions Options => _options;

    internal TimeProvider Time => _time;

    /// <summary>Calls without the API key, headers, and credentials of the options.</summary>
    internal CallInvoker Invoker => _invoker;

    /// <summary>Creates a client for one server, with default options.</summary>
    /// <param name="address"><c>host:port</c>, <c>http://host:port</c> or <c>https://host:port</c>.</param>
    /// <exception cref="ArgumentException">The address does not have one of these forms.</exception>
    public static EmbeddingsClient ForAddress(string address) =>
        new(new EmbeddingsClientOptions { Addresses = [address] });

    /// <summary>
    /// Returns a client that shares the connections of this one but uses another deadline for unary calls, for example
    /// <c>client.WithDeadline(...).SearchVectorsAsync(...)</c>.
    /// </summary>
    /// <param name="deadline">Deadline of a call including retries, from 1 ms to 1 day.</param>
    /// <returns>
    /// A client that can be used until this one is disposed of. Disposing of the returned client has no effect.
    /// </returns>
    /// <exception cref="ArgumentOutOfRangeException">The deadline is out of range.</exception>
    public virtual EmbeddingsClient WithDeadline(TimeSpan deadline)
    {
        if (deadline < TimeSpan.FromMilliseconds(1) || deadline > TimeSpan.FromDays(1))
        {
            throw new ArgumentOutOfRangeException(
                nameof(deadline), deadline, $"deadline must be between 1 ms and 1 day; got {deadline}.");
        }

        return new EmbeddingsClient(_invoker, _options with { Deadline = deadline }, _loggerFactory, _time);
    }

    /// <summary>
    /// Waits until a server reports SERVING. Polls its health service (grpc.health.v1) with exponential backoff.
    /// </summary>
    /// <param name="timeout">Maximum time to wait. Must be greater than zero.</param>
    /// <param name="cancellationToken">Ends the wait with <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="EmbeddingsException">
    /// DEADLINE_EXCEEDED if no server reports SERVING within the timeout (the message gives the cause), or
    /// UNIMPLEMENTED if the server has no health service.
    /// </exception>
    public virtual Task WaitUntilServingAsync(TimeSpan timeout, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(timeout, TimeSpan.Zero);
        return new HealthWait(_calls, _options, _time).RunAsync(timeout, cancellationToken);
    }

    /// <summary>Returns one page of the server's models, sorted by name.</summary>
    /// <exception cref="EmbeddingsException">
    /// The call failed, for example with INVALID_ARGUMENT for an invalid page token.
    /// </exception>
    public virtual Task<ListModelsResponse> ListModelsAsync(
        ListModelsRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_models.ListModelsAsync, request, repeatable: true, cancellationToken);

    /// <summary>Returns one model.</summary>
    /// <exception cref="EmbeddingsException">
    /// The call failed, for example with NOT_FOUND if the model does not exist.
    /// </exception>
    public virtual Task<GetModelResponse> GetModelAsync(
        GetModelRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_models.GetModelAsync, request, repeatable: true, cancellationToken);

    /// <summary>
    /// Loads a model from the server's model folders and serves it; one that is served is loaded again.
    /// </summary>
    /// <exception cref="EmbeddingsException">
    /// The call failed, for example with NOT_FOUND if no manifest has the name, or with FAILED_PRECONDITION if the files cannot
    /// be used.
    /// </exception>
    public virtual Task<LoadModelResponse> LoadModelAsync(
        LoadModelRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_models.LoadModelAsync, request, repeatable: true, cancellationToken);

    /// <summary>Stops serving a model; calls in flight are completed.</summary>
    /// <exception cref="EmbeddingsException">
    /// The call failed, for example with NOT_FOUND if the model does not exist, or with FAILED_PRECONDITION if it is the default
    /// one of its kind.
    /// </exception>
    public virtual Task<UnloadModelResponse> UnloadModelAsync(
        UnloadModelRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_models.UnloadModelAsync, request, repeatable: false, cancellationToken);

    /// <summary>
    /// Closes the connections and aborts calls in progress. A client from dependency injection shares its connections
    /// with the gRPC client factory and leaves them open.
    /// </summary>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Releases the resources of the client.</summary>
    /// <param name="disposing">Whether the method is called by <see cref="Dispose()"/>.</param>
    protected virtual void Dispose(bool disposing) => _channel?.Dispose();

    private IAsyncEnumerable<TResponse> Stream<TRequest, TResponse>(
        StreamRpc<TRequest, TResponse> rpc, IAsyncEnumerable<TRequest> requests, CancellationToken cancellationToken)
        where TRequest : class, IMessage<TRequest>, IStreamMessage<TRequest>, new()
        where TResponse : class, IMessage<TResponse>, IStreamMessage<TResponse>
    {
        ArgumentNullException.ThrowIfNull(requests);
        return new ResendingStream<TRequest, TResponse>(rpc, _options, _time, _logger)
            .RunAsync(requests, cancellationToken);
    }

    // The call invoker of a generated stub without a channel throws NotImplementedException.
    private sealed class NoServer : ClientBase
    {
        public CallInvoker Invoker => CallInvoker;
    }
}
