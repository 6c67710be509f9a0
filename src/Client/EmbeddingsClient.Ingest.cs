using Embeddings.Client.Streaming;
using Embeddings.V1;

namespace Embeddings.Client;

/// <content>IngestService.</content>
public sealed partial class EmbeddingsClient
{
    /// <summary>
    /// Embeds one whole image and stores its vector under the id <c>job_id</c>. Answers once it is durable; sent again it replaces its point.
    /// </summary>
    /// <exception cref="EmbeddingsException">
    /// The call failed: INVALID_ARGUMENT for a bad item, FAILED_PRECONDITION for a collection of another model.
    /// </exception>
    public Task<IngestImageResponse> IngestImageAsync(IngestImageRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_ingest.IngestImageAsync, request, repeatable: true, cancellationToken);

    /// <summary>
    /// Embeds one face and stores its vector under the id <c>job_id-face_index</c>. Answers once it is durable; sent again it replaces its point.
    /// </summary>
    /// <exception cref="EmbeddingsException">
    /// The call failed: INVALID_ARGUMENT for a bad item, FAILED_PRECONDITION for a collection of another model.
    /// </exception>
    public Task<IngestFaceResponse> IngestFaceAsync(IngestFaceRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_ingest.IngestFaceAsync, request, repeatable: true, cancellationToken);

    /// <summary>Embeds and stores a stream. An ack means that the point is durable; an item that is sent again replaces its point.</summary>
    /// <remarks>
    /// One response a request, in the order of the requests: its ack or its error. An item that fails does not end the stream. The requests are read
    /// only as answers come back (<see cref="EmbeddingsClientOptions.MaxInFlight"/>) and, where the connection breaks, sent again until they are
    /// answered. Leave a request alone until its response is there. To stop early, stop enumerating or cancel: the requests' enumerator is disposed
    /// of. What the requests throw is thrown here, after the responses to all before it.
    /// </remarks>
    /// <param name="requests">The items, of <c>item_id</c>s to know them by; read by one task of its own.</param>
    /// <param name="cancellationToken">Ends the stream with <see cref="OperationCanceledException"/>; what has not run is dropped.</param>
    /// <exception cref="EmbeddingsException">The stream as a whole failed: the server refused it, could not be reached again within
    /// <see cref="EmbeddingsClientOptions.MaxReconnects"/>, or answered what was not asked (<c>PROTOCOL_VIOLATION</c>).</exception>
    public IAsyncEnumerable<StreamIngestResponse> StreamIngestAsync(
        IAsyncEnumerable<StreamIngestRequest> requests, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(requests);
        var rpc = new StreamRpc<StreamIngestRequest, StreamIngestResponse>(
            "StreamIngest", _ingest.StreamIngest, request => request.ItemId, response => response.ItemId);
        return Stream(rpc).RunAsync(requests, cancellationToken);
    }
}
