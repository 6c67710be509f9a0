using Embeddings.V1;

namespace Embeddings.Client;

/// <content>VectorStoreService.</content>
public partial class EmbeddingsClient
{
    /// <summary>Stores 1 to 10,000 vectors and returns once they are durable. Existing points are replaced.</summary>
    /// <remarks>
    /// The embedded store stores either all points or none. Qdrant may have stored some of them if the call fails:
    /// <see cref="EmbeddingsException.NotStored"/> has the indexes of the others, to be sent again.
    /// </remarks>
    /// <exception cref="EmbeddingsException">
    /// The call failed, for example with INVALID_ARGUMENT for an invalid vector or one of another dimension, or
    /// FAILED_PRECONDITION if another model fills the collection.
    /// </exception>
    public virtual Task<UpsertVectorsResponse> UpsertVectorsAsync(
        UpsertVectorsRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_vectorStore.UpsertVectorsAsync, request, repeatable: true, cancellationToken);

    /// <summary>Returns one point with its vector and payload.</summary>
    /// <exception cref="EmbeddingsException">
    /// The call failed, for example with NOT_FOUND if the collection or the point does not exist.
    /// </exception>
    public virtual Task<GetVectorResponse> GetVectorAsync(
        GetVectorRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_vectorStore.GetVectorAsync, request, repeatable: true, cancellationToken);

    /// <summary>
    /// Deletes points by id or by filter and returns how many were deleted. Not retried if the connection breaks.
    /// </summary>
    /// <exception cref="EmbeddingsException">
    /// The call failed, for example with INVALID_ARGUMENT if both or neither of ids and filter are set, or NOT_FOUND
    /// for an unknown collection.
    /// </exception>
    public virtual Task<DeleteVectorsResponse> DeleteVectorsAsync(
        DeleteVectorsRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_vectorStore.DeleteVectorsAsync, request, repeatable: false, cancellationToken);

    /// <summary>Returns the exact number of points.</summary>
    /// <exception cref="EmbeddingsException">
    /// The call failed, for example with NOT_FOUND for an unknown collection.
    /// </exception>
    public virtual Task<CountVectorsResponse> CountVectorsAsync(
        CountVectorsRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_vectorStore.CountVectorsAsync, request, repeatable: true, cancellationToken);

    /// <summary>Returns one page of points.</summary>
    /// <exception cref="EmbeddingsException">
    /// The call failed, for example with NOT_FOUND for an unknown collection or INVALID_ARGUMENT for an invalid page
    /// token.
    /// </exception>
    public virtual Task<ListVectorsResponse> ListVectorsAsync(
        ListVectorsRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_vectorStore.ListVectorsAsync, request, repeatable: true, cancellationToken);

    /// <summary>Returns one page of the collections, sorted by name.</summary>
    /// <exception cref="EmbeddingsException">
    /// The call failed, for example with INVALID_ARGUMENT for an invalid page token.
    /// </exception>
    public virtual Task<ListCollectionsResponse> ListCollectionsAsync(
        ListCollectionsRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_vectorStore.ListCollectionsAsync, request, repeatable: true, cancellationToken);

    /// <summary>
    /// Finds the points nearest to each of 1 to 64 queries, best first, optionally after an offset or in groups, such as one point
    /// per person.
    /// </summary>
    /// <exception cref="EmbeddingsException">
    /// The call failed, for example with NOT_FOUND for an unknown collection or point, or INVALID_ARGUMENT for an
    /// invalid query.
    /// </exception>
    public virtual Task<SearchVectorsResponse> SearchVectorsAsync(
        SearchVectorsRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_vectorStore.SearchVectorsAsync, request, repeatable: true, cancellationToken);

    /// <summary>Finds the points of one media item that are nearest to the query, best first.</summary>
    /// <exception cref="EmbeddingsException">
    /// The call failed, for example with NOT_FOUND for an unknown collection or point, or INVALID_ARGUMENT for an
    /// invalid query.
    /// </exception>
    public virtual Task<SearchByMediaStoreIdResponse> SearchByMediaStoreIdAsync(
        SearchByMediaStoreIdRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_vectorStore.SearchByMediaStoreIdAsync, request, repeatable: true, cancellationToken);

    /// <summary>
    /// Deletes a collection and all its points and returns how many were deleted. Not retried if the connection breaks.
    /// </summary>
    /// <exception cref="EmbeddingsException">
    /// The call failed, for example with NOT_FOUND for an unknown collection.
    /// </exception>
    public virtual Task<DeleteCollectionResponse> DeleteCollectionAsync(
        DeleteCollectionRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_vectorStore.DeleteCollectionAsync, request, repeatable: false, cancellationToken);

    /// <summary>
    /// Deletes all points of a job and returns how many were deleted. Not retried if the connection breaks.
    /// </summary>
    /// <exception cref="EmbeddingsException">
    /// The call failed, for example with INVALID_ARGUMENT for an empty job id or NOT_FOUND for an unknown collection.
    /// </exception>
    public virtual Task<DeleteByJobIdResponse> DeleteByJobIdAsync(
        DeleteByJobIdRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_vectorStore.DeleteByJobIdAsync, request, repeatable: false, cancellationToken);

    /// <summary>
    /// Puts points on legal hold, or ends the hold, and returns how many changed. Points on hold are neither deleted nor
    /// replaced.
    /// </summary>
    /// <exception cref="EmbeddingsException">
    /// The call failed, for example with INVALID_ARGUMENT if both or neither of ids and filter are set, or NOT_FOUND
    /// for an unknown collection.
    /// </exception>
    public virtual Task<SetLegalHoldResponse> SetLegalHoldAsync(
        SetLegalHoldRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_vectorStore.SetLegalHoldAsync, request, repeatable: true, cancellationToken);

    /// <summary>
    /// Stores a stream of vectors. An ack means that the point is durable. Existing points are replaced.
    /// </summary>
    /// <inheritdoc cref="StreamEmbedAsync" path="/*[not(self::summary)]"/>
    public virtual IAsyncEnumerable<StreamUpsertVectorsResponse> StreamUpsertVectorsAsync(
        IAsyncEnumerable<StreamUpsertVectorsRequest> requests, CancellationToken cancellationToken = default) =>
        Stream<StreamUpsertVectorsRequest, StreamUpsertVectorsResponse>(
            new(_vectorStore.StreamUpsertVectors, request => request.ItemId, response => response.ItemId),
            requests,
            cancellationToken);
}
