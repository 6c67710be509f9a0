using Embeddings.Client.Streaming;
using Embeddings.V1;

namespace Embeddings.Client;

/// <content>VectorStoreService.</content>
public sealed partial class EmbeddingsClient
{
    /// <summary>Stores 1 to 10,000 vectors, all or none. Answers once they are durable.</summary>
    /// <exception cref="EmbeddingsException">
    /// The call failed: INVALID_ARGUMENT for a bad vector, FAILED_PRECONDITION for another dimension or model than the collection's.
    /// </exception>
    public Task<UpsertVectorsResponse> UpsertVectorsAsync(UpsertVectorsRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_vectorStore.UpsertVectorsAsync, request, repeatable: true, cancellationToken);

    /// <summary>One point with its vector and payload.</summary>
    /// <exception cref="EmbeddingsException">The call failed: NOT_FOUND where the collection or the point is not there.</exception>
    public Task<GetVectorResponse> GetVectorAsync(GetVectorRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_vectorStore.GetVectorAsync, request, repeatable: true, cancellationToken);

    /// <summary>Removes points by id or by filter; says how many there were. Not retried when the connection breaks.</summary>
    /// <exception cref="EmbeddingsException">The call failed: INVALID_ARGUMENT for neither or both, NOT_FOUND for an unknown collection.</exception>
    public Task<DeleteVectorsResponse> DeleteVectorsAsync(DeleteVectorsRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_vectorStore.DeleteVectorsAsync, request, repeatable: false, cancellationToken);

    /// <summary>Counts points, exactly.</summary>
    /// <exception cref="EmbeddingsException">The call failed: NOT_FOUND for an unknown collection.</exception>
    public Task<CountVectorsResponse> CountVectorsAsync(CountVectorsRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_vectorStore.CountVectorsAsync, request, repeatable: true, cancellationToken);

    /// <summary>One page of points.</summary>
    /// <exception cref="EmbeddingsException">The call failed: NOT_FOUND for an unknown collection, INVALID_ARGUMENT for a bad page token.</exception>
    public Task<ListVectorsResponse> ListVectorsAsync(ListVectorsRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_vectorStore.ListVectorsAsync, request, repeatable: true, cancellationToken);

    /// <summary>One page of the collections, by name.</summary>
    /// <exception cref="EmbeddingsException">The call failed: INVALID_ARGUMENT for a bad page token.</exception>
    public Task<ListCollectionsResponse> ListCollectionsAsync(ListCollectionsRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_vectorStore.ListCollectionsAsync, request, repeatable: true, cancellationToken);

    /// <summary>Finds the points nearest to each of 1 to 64 queries.</summary>
    /// <exception cref="EmbeddingsException">The call failed: NOT_FOUND for an unknown collection or point, INVALID_ARGUMENT for a bad query.</exception>
    public Task<SearchVectorsResponse> SearchVectorsAsync(SearchVectorsRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_vectorStore.SearchVectorsAsync, request, repeatable: true, cancellationToken);

    /// <summary>Finds the points of one media item nearest to the query.</summary>
    /// <exception cref="EmbeddingsException">The call failed: NOT_FOUND for an unknown collection or point, INVALID_ARGUMENT for a bad query.</exception>
    public Task<SearchByMediaStoreIdResponse> SearchByMediaStoreIdAsync(SearchByMediaStoreIdRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_vectorStore.SearchByMediaStoreIdAsync, request, repeatable: true, cancellationToken);

    /// <summary>Removes a collection with all its points; says how many there were. Not retried when the connection breaks.</summary>
    /// <exception cref="EmbeddingsException">The call failed: NOT_FOUND for an unknown collection.</exception>
    public Task<DeleteCollectionResponse> DeleteCollectionAsync(DeleteCollectionRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_vectorStore.DeleteCollectionAsync, request, repeatable: false, cancellationToken);

    /// <summary>Removes all points of a job; says how many there were. Not retried when the connection breaks.</summary>
    /// <exception cref="EmbeddingsException">The call failed: INVALID_ARGUMENT for an empty job id, NOT_FOUND for an unknown collection.</exception>
    public Task<DeleteByJobIdResponse> DeleteByJobIdAsync(DeleteByJobIdRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_vectorStore.DeleteByJobIdAsync, request, repeatable: false, cancellationToken);

    /// <summary>Stores a stream of vectors. An ack means that the point is durable; a point that is sent again replaces itself.</summary>
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
    public IAsyncEnumerable<StreamUpsertVectorsResponse> StreamUpsertVectorsAsync(
        IAsyncEnumerable<StreamUpsertVectorsRequest> requests, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(requests);
        var rpc = new StreamRpc<StreamUpsertVectorsRequest, StreamUpsertVectorsResponse>(
            "StreamUpsertVectors", _vectorStore.StreamUpsertVectors, request => request.ItemId, response => response.ItemId);
        return Stream(rpc).RunAsync(requests, cancellationToken);
    }
}
