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
/// The Embeddings service: embed images and face crops, store their vectors, find them again. Make one and keep it: it holds the connections and is safe to
/// use from many threads at once. Every RPC of the contract is a method of the same name; <see cref="EmbeddingsClientExtensions"/> has shorter forms.
/// </summary>
public sealed partial class EmbeddingsClient : IDisposable
{
    private readonly GrpcChannel _channel;
    private readonly bool _ownsChannel;
    private readonly CallInvoker _invoker;
    private readonly EmbeddingsClientOptions _options;
    private readonly TimeProvider _time;
    private readonly ILoggerFactory _loggerFactory;
    private readonly ILogger _logger;
    private readonly UnaryCaller _unary;
    private readonly EmbeddingService.EmbeddingServiceClient _embedding;
    private readonly IngestService.IngestServiceClient _ingest;
    private readonly VectorStoreService.VectorStoreServiceClient _vectorStore;
    private readonly ModelService.ModelServiceClient _models;

    /// <summary>Makes a client; it connects with its first call.</summary>
    /// <param name="options">Where the servers are, and how to treat them.</param>
    /// <param name="loggerFactory">For reconnects and what the gRPC client logs; none where null.</param>
    /// <exception cref="ArgumentException">An option is out of its range; the message names it.</exception>
    public EmbeddingsClient(EmbeddingsClientOptions options, ILoggerFactory? loggerFactory = null)
        : this(options, loggerFactory, TimeProvider.System)
    {
    }

    internal EmbeddingsClient(EmbeddingsClientOptions options, ILoggerFactory? loggerFactory, TimeProvider time)
        : this(ChannelFactory.Create(options, loggerFactory), ownsChannel: true, options, loggerFactory ?? NullLoggerFactory.Instance, time)
    {
    }

    private EmbeddingsClient(GrpcChannel channel, bool ownsChannel, EmbeddingsClientOptions options, ILoggerFactory loggerFactory, TimeProvider time)
    {
        _channel = channel;
        _ownsChannel = ownsChannel;
        _invoker = channel.CreateCallInvoker();
        _options = options;
        _time = time;
        _loggerFactory = loggerFactory;
        _logger = loggerFactory.CreateLogger<EmbeddingsClient>();
        _unary = new UnaryCaller(options, time);
        _embedding = new EmbeddingService.EmbeddingServiceClient(_invoker);
        _ingest = new IngestService.IngestServiceClient(_invoker);
        _vectorStore = new VectorStoreService.VectorStoreServiceClient(_invoker);
        _models = new ModelService.ModelServiceClient(_invoker);
    }

    /// <summary>The options it was made with.</summary>
    public EmbeddingsClientOptions Options => _options;

    /// <summary>A client of one server, everything else at its default.</summary>
    /// <param name="address"><c>host:port</c>, <c>http://host:port</c> or <c>https://host:port</c>.</param>
    /// <exception cref="ArgumentException">The address is none of these.</exception>
    public static EmbeddingsClient ForAddress(string address) => new(new EmbeddingsClientOptions { Addresses = [address] });

    /// <summary>
    /// The same client, over the same connections, with another deadline for unary calls: <c>client.WithDeadline(...).SearchVectorsAsync(...)</c>.
    /// </summary>
    /// <param name="deadline">From 1 ms to 1 day, retries included.</param>
    /// <returns>A client that lives as long as this one; disposing of it does nothing.</returns>
    /// <exception cref="ArgumentException">The deadline is out of its range.</exception>
    public EmbeddingsClient WithDeadline(TimeSpan deadline)
    {
        var options = _options with { Deadline = deadline };
        OptionsCheck.Endpoints(options);
        return new EmbeddingsClient(_channel, ownsChannel: false, options, _loggerFactory, _time);
    }

    /// <summary>Waits until a server is up and says that it serves (grpc.health.v1), asking again and again.</summary>
    /// <param name="timeout">How long to wait at most; above 0.</param>
    /// <param name="ct">Ends the wait with <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="EmbeddingsException">
    /// DEADLINE_EXCEEDED: it does not serve by then, the message tells why; UNIMPLEMENTED: no health service is there.
    /// </exception>
    public Task WaitUntilServingAsync(TimeSpan timeout, CancellationToken ct = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(timeout, TimeSpan.Zero);
        return new HealthWait(_invoker, _options, _time).RunAsync(timeout, ct);
    }

    /// <summary>Closes the connections; calls in progress end.</summary>
    public void Dispose()
    {
        if (_ownsChannel)
        {
            _channel.Dispose();
        }
    }

    private ResendingStream<TRequest, TResponse> Stream<TRequest, TResponse>(StreamRpc<TRequest, TResponse> rpc)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse> => new(rpc, _options, _time, _logger);
}
