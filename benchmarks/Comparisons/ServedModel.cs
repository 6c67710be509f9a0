using Embeddings.Benchmarks.Measuring;
using Embeddings.Benchmarks.Models;
using Embeddings.Benchmarks.Processes;
using Embeddings.Client;
using Embeddings.Tooling.Benching;
using Embeddings.V1;

namespace Embeddings.Benchmarks.Comparisons;

/// <summary>A server of one model in its own process, and a client of it in this one.</summary>
internal sealed class ServedModel : IDisposable
{
    private readonly StreamLoad _load;

    private readonly bool _ownsServer;

    private ServedModel(GrpcProcess server, bool ownsServer, IReadOnlyList<StreamEmbedRequest> requests, int streams, int inFlight, int? itemsPerMessage, ServerSecurity? security = null)
    {
        Server = server;
        _ownsServer = ownsServer;
        var options = new EmbeddingsClientOptions { Addresses = [server.Address], MaxInFlight = inFlight };
        if (itemsPerMessage is { } items)
        {
            // As many as that, whatever they weigh.
            (options.MaxItemsPerMessage, options.MaxBytesPerMessage) = (items, 4 << 20);
        }
        Client = new EmbeddingsClient(security?.Apply(options) ?? options);
        _load = new StreamLoad(Client, requests, streams);
    }

    public GrpcProcess Server { get; }

    public EmbeddingsClient Client { get; }

    /// <summary>Name of the model.</summary>
    public string Model { get; private init; } = "";

    /// <param name="settings">Where its store goes.</param>
    /// <param name="model">The one model it has.</param>
    /// <param name="requests">Requests that the client sends, again and again.</param>
    /// <param name="streams">Over how many streams.</param>
    /// <param name="inFlight">Unanswered items of each stream at most.</param>
    /// <param name="security">TLS and a key, or null.</param>
    public static async Task<ServedModel> StartAsync(
        BenchSettings settings,
        BenchModel model,
        IReadOnlyList<StreamEmbedRequest> requests,
        int streams,
        int inFlight,
        ServerSecurity? security = null) => new(
            await GrpcProcess.ServerAsync(settings.Scratch(model.Manifest.Name), [model], security),
            ownsServer: true,
            requests,
            streams,
            inFlight,
            itemsPerMessage: null,
            security)
        {
            Model = model.Manifest.Name,
        };

    /// <summary>A client of a server that runs already and continues to run.</summary>
    /// <param name="server">The server.</param>
    /// <param name="requests">Requests that the client sends, again and again.</param>
    /// <param name="streams">Over how many streams.</param>
    /// <param name="inFlight">Unanswered items of each stream at most.</param>
    /// <param name="itemsPerMessage">Items of a message at most; the default of the client if null.</param>
    public static ServedModel Of(
        GrpcProcess server, IReadOnlyList<StreamEmbedRequest> requests, int streams, int inFlight, int? itemsPerMessage = null) =>
        new(server, ownsServer: false, requests, streams, inFlight, itemsPerMessage);

    /// <summary>Streams for about so long. Every item must get its vector: a call that fails would be fast.</summary>
    public async Task<LoadResult> StreamAsync(TimeSpan about) => Checked(await _load.RunAsync(about, CancellationToken.None));

    /// <summary>Streams about so many items.</summary>
    public async Task<LoadResult> StreamAsync(long items) => Checked(await _load.RunAsync(items, CancellationToken.None));

    public void Dispose()
    {
        Client.Dispose();
        if (_ownsServer)
        {
            Server.Dispose();
        }
    }

    private static LoadResult Checked(LoadResult result) =>
        result.FirstError is { } error ? throw new BenchException($"an item failed: {error.Reason} {error.Message}")
        : result.Embedded == 0 ? throw new BenchException("nothing was embedded")
        : result;
}
