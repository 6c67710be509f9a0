using Embeddings.Client.Streaming;
using Embeddings.V1;

namespace Embeddings.Client;

/// <content>EmbeddingService.</content>
public sealed partial class EmbeddingsClient
{
    /// <summary>Embeds one whole image.</summary>
    /// <exception cref="EmbeddingsException">
    /// The call failed, for example with INVALID_ARGUMENT for an invalid image or NOT_FOUND for an unknown model.
    /// </exception>
    public Task<EmbedImageResponse> EmbedImageAsync(EmbedImageRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_embedding.EmbedImageAsync, request, repeatable: true, cancellationToken);

    /// <summary>Embeds one face. The vector has an L2 norm of 1.</summary>
    /// <exception cref="EmbeddingsException">
    /// The call failed, for example with INVALID_ARGUMENT for an invalid image or landmarks, or NOT_FOUND for an
    /// unknown model.
    /// </exception>
    public Task<EmbedFaceResponse> EmbedFaceAsync(EmbedFaceRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_embedding.EmbedFaceAsync, request, repeatable: true, cancellationToken);

    /// <summary>Embeds a stream of items without storing the vectors.</summary>
    /// <remarks>
    /// <para>Returns one response per request, in request order, with either a vector or an error. If an item fails,
    /// the stream continues.</para>
    /// <para>Requests are read as responses arrive, so that at most <see cref="EmbeddingsClientOptions.MaxInFlight"/>
    /// items are in flight. If the connection breaks, the client reconnects and resends all unanswered requests. Do not
    /// modify a request before its response has arrived.</para>
    /// <para>To stop early, stop enumerating or cancel; the enumerator of <paramref name="requests"/> is then disposed
    /// of. If the enumerator throws, the exception is rethrown after the responses to all earlier requests.</para>
    /// </remarks>
    /// <param name="requests">Items to send, identified by their <c>item_id</c>. Enumerated by a separate task.</param>
    /// <param name="cancellationToken">
    /// Ends the stream with <see cref="OperationCanceledException"/>. The server drops the items that have not run.
    /// </param>
    /// <exception cref="EmbeddingsException">
    /// The whole stream failed: the server rejected it, the client could not reconnect within
    /// <see cref="EmbeddingsClientOptions.MaxReconnects"/> attempts, or the server sent an unexpected response
    /// (<c>PROTOCOL_VIOLATION</c>).
    /// </exception>
    public IAsyncEnumerable<StreamEmbedResponse> StreamEmbedAsync(
        IAsyncEnumerable<StreamEmbedRequest> requests, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(requests);
        var rpc = new StreamRpc<StreamEmbedRequest, StreamEmbedResponse>(
            "StreamEmbed", _embedding.StreamEmbed, request => request.ItemId, response => response.ItemId);
        return Stream(rpc).RunAsync(requests, cancellationToken);
    }
}
