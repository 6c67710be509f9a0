using Embeddings.Client.Streaming;
using Embeddings.V1;

namespace Embeddings.Client;

/// <content>EmbeddingService.</content>
public sealed partial class EmbeddingsClient
{
    /// <summary>Embeds one whole image.</summary>
    /// <exception cref="EmbeddingsException">The call failed: INVALID_ARGUMENT for a bad picture, NOT_FOUND for an unknown model.</exception>
    public Task<EmbedImageResponse> EmbedImageAsync(EmbedImageRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_embedding.EmbedImageAsync, request, repeatable: true, cancellationToken);

    /// <summary>Embeds one face; the vector has L2 norm 1.</summary>
    /// <exception cref="EmbeddingsException">The call failed: INVALID_ARGUMENT for a bad picture or bad landmarks, NOT_FOUND for an unknown model.</exception>
    public Task<EmbedFaceResponse> EmbedFaceAsync(EmbedFaceRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_embedding.EmbedFaceAsync, request, repeatable: true, cancellationToken);

    /// <summary>Embeds a stream and stores nothing.</summary>
    /// <remarks>
    /// One response a request, in the order of the requests: its vector or its error. An item that fails does not end the stream. The requests are read
    /// only as answers come back (<see cref="EmbeddingsClientOptions.MaxInFlight"/>) and, where the connection breaks, sent again until they are
    /// answered. Leave a request alone until its response is there. To stop early, stop enumerating or cancel: the requests' enumerator is disposed
    /// of. What the requests throw is thrown here, after the responses to all before it.
    /// </remarks>
    /// <param name="requests">The items, of <c>item_id</c>s to know them by; read by one task of its own.</param>
    /// <param name="cancellationToken">Ends the stream with <see cref="OperationCanceledException"/>; what has not run is dropped.</param>
    /// <exception cref="EmbeddingsException">The stream as a whole failed: the server refused it, could not be reached again within
    /// <see cref="EmbeddingsClientOptions.MaxReconnects"/>, or answered what was not asked (<c>PROTOCOL_VIOLATION</c>).</exception>
    public IAsyncEnumerable<StreamEmbedResponse> StreamEmbedAsync(
        IAsyncEnumerable<StreamEmbedRequest> requests, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(requests);
        var rpc = new StreamRpc<StreamEmbedRequest, StreamEmbedResponse>(
            "StreamEmbed", _embedding.StreamEmbed, request => request.ItemId, response => response.ItemId);
        return Stream(rpc).RunAsync(requests, cancellationToken);
    }
}
