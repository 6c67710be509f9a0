using Embeddings.V1;

namespace Embeddings.Client;

/// <content>EmbeddingService and IngestService.</content>
public partial class EmbeddingsClient
{
    /// <summary>Embeds one whole image.</summary>
    /// <exception cref="EmbeddingsException">
    /// The call failed, for example with INVALID_ARGUMENT for an invalid image or NOT_FOUND for an unknown model.
    /// </exception>
    public virtual Task<EmbedImageResponse> EmbedImageAsync(
        EmbedImageRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_embedding.EmbedImageAsync, request, repeatable: true, cancellationToken);

    /// <summary>Embeds one face. The vector has an L2 norm of 1.</summary>
    /// <exception cref="EmbeddingsException">
    /// The call failed, for example with INVALID_ARGUMENT for an invalid image or landmarks, or NOT_FOUND for an
    /// unknown model.
    /// </exception>
    public virtual Task<EmbedFaceResponse> EmbedFaceAsync(
        EmbedFaceRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_embedding.EmbedFaceAsync, request, repeatable: true, cancellationToken);

    /// <summary>Embeds a stream of items without storing the vectors.</summary>
    /// <remarks>
    /// <para>Returns one response per request, in request order, with either a result or an error. If an item fails,
    /// the stream continues.</para>
    /// <para>Requests are read as responses arrive, so that at most <see cref="EmbeddingsClientOptions.MaxInFlight"/>
    /// items are in flight. If the connection breaks, the client reconnects and resends all unanswered requests. Do not
    /// modify a request before its response has arrived.</para>
    /// <para>The client packs waiting requests into messages of at most
    /// <see cref="EmbeddingsClientOptions.MaxItemsPerMessage"/> items. A request must not have <c>items</c> of its
    /// own.</para>
    /// <para>To stop early, stop enumerating or cancel; the enumerator of <paramref name="requests"/> is then disposed
    /// of. If the enumerator throws, the exception is rethrown after the responses to all earlier requests.</para>
    /// </remarks>
    /// <param name="requests">Items to send, identified by their <c>item_id</c>. Enumerated by a separate task.</param>
    /// <param name="cancellationToken">
    /// Ends the stream with <see cref="OperationCanceledException"/>. The server drops the items that have not run.
    /// </param>
    /// <exception cref="ArgumentException">A request has <c>items</c>.</exception>
    /// <exception cref="EmbeddingsException">
    /// The whole stream failed: the server rejected it, the client could not reconnect within
    /// <see cref="EmbeddingsClientOptions.MaxReconnects"/> attempts, or the server sent an unexpected response
    /// (<c>PROTOCOL_VIOLATION</c>).
    /// </exception>
    public virtual IAsyncEnumerable<StreamEmbedResponse> StreamEmbedAsync(
        IAsyncEnumerable<StreamEmbedRequest> requests, CancellationToken cancellationToken = default) =>
        Stream<StreamEmbedRequest, StreamEmbedResponse>(
            new(_embedding.StreamEmbed, request => request.ItemId, response => response.ItemId),
            requests,
            cancellationToken);

    /// <summary>
    /// Embeds one whole image and stores its vector with the point id <c>job_id</c>. Returns once the point is durable.
    /// Ingesting the same item again replaces the point.
    /// </summary>
    /// <exception cref="EmbeddingsException">
    /// The call failed, for example with INVALID_ARGUMENT for an invalid item or FAILED_PRECONDITION if another model
    /// fills the collection.
    /// </exception>
    public virtual Task<IngestImageResponse> IngestImageAsync(
        IngestImageRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_ingest.IngestImageAsync, request, repeatable: true, cancellationToken);

    /// <summary>
    /// Embeds one face and stores its vector with the point id <c>job_id-face_index</c>. Returns once the point is
    /// durable. Ingesting the same item again replaces the point.
    /// </summary>
    /// <exception cref="EmbeddingsException">
    /// The call failed, for example with INVALID_ARGUMENT for an invalid item or FAILED_PRECONDITION if another model
    /// fills the collection.
    /// </exception>
    public virtual Task<IngestFaceResponse> IngestFaceAsync(
        IngestFaceRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_ingest.IngestFaceAsync, request, repeatable: true, cancellationToken);

    /// <summary>
    /// Embeds and stores a stream of items. An ack means that the point is durable. Ingesting the same item again
    /// replaces the point.
    /// </summary>
    /// <inheritdoc cref="StreamEmbedAsync" path="/*[not(self::summary)]"/>
    public virtual IAsyncEnumerable<StreamIngestResponse> StreamIngestAsync(
        IAsyncEnumerable<StreamIngestRequest> requests, CancellationToken cancellationToken = default) =>
        Stream<StreamIngestRequest, StreamIngestResponse>(
            new(_ingest.StreamIngest, request => request.ItemId, response => response.ItemId),
            requests,
            cancellationToken);
}
