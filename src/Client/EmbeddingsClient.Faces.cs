using Embeddings.V1;

namespace Embeddings.Client;

/// <content>FaceService and PersonService.</content>
public partial class EmbeddingsClient
{
    /// <summary>Finds the faces in a photo, with landmarks and quality. A photo without faces is not an error.</summary>
    /// <exception cref="EmbeddingsException">
    /// The call failed, for example with INVALID_ARGUMENT for an invalid photo or NOT_FOUND if the server has no
    /// detector.
    /// </exception>
    public virtual Task<DetectFacesResponse> DetectFacesAsync(
        DetectFacesRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_faces.DetectFacesAsync, request, repeatable: true, cancellationToken);

    /// <summary>Finds the faces in a photo and embeds each.</summary>
    /// <inheritdoc cref="DetectFacesAsync" path="/exception"/>
    public virtual Task<EmbedFacesResponse> EmbedFacesAsync(
        EmbedFacesRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_faces.EmbedFacesAsync, request, repeatable: true, cancellationToken);

    /// <summary>Compares each face of one photo with each face of another.</summary>
    /// <inheritdoc cref="DetectFacesAsync" path="/exception"/>
    public virtual Task<CompareFacesResponse> CompareFacesAsync(
        CompareFacesRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_faces.CompareFacesAsync, request, repeatable: true, cancellationToken);

    /// <summary>Finds the persons of a collection that each face of a photo probably shows.</summary>
    /// <exception cref="EmbeddingsException">
    /// The call failed, for example with INVALID_ARGUMENT for an invalid photo, NOT_FOUND if the collection does not
    /// exist, or FAILED_PRECONDITION if another model fills it.
    /// </exception>
    public virtual Task<IdentifyFacesResponse> IdentifyFacesAsync(
        IdentifyFacesRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_faces.IdentifyFacesAsync, request, repeatable: true, cancellationToken);

    /// <summary>
    /// Finds the faces in a photo, embeds them, and stores them with the point ids <c>job_id-face_index</c>. Returns
    /// once all are durable. Ingesting the same photo again replaces its faces.
    /// </summary>
    /// <remarks>
    /// If the connection breaks, the photo is sent again. If the server had already stored it, its earlier faces have
    /// been removed by then, so that <c>removed_count</c> is 0.
    /// </remarks>
    /// <exception cref="EmbeddingsException">
    /// The call failed, for example with INVALID_ARGUMENT for an invalid item, NOT_FOUND if the server has no detector,
    /// or FAILED_PRECONDITION if another model fills the collection.
    /// </exception>
    public virtual Task<IngestPhotoResponse> IngestPhotoAsync(
        IngestPhotoRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_ingest.IngestPhotoAsync, request, repeatable: true, cancellationToken);

    /// <summary>Returns one page of the persons of a collection, sorted by name.</summary>
    /// <exception cref="EmbeddingsException">
    /// The call failed, for example with NOT_FOUND for an unknown collection or INVALID_ARGUMENT for an invalid page
    /// token.
    /// </exception>
    public virtual Task<ListPersonsResponse> ListPersonsAsync(
        ListPersonsRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_persons.ListPersonsAsync, request, repeatable: true, cancellationToken);

    /// <summary>
    /// Names the person of some faces. Not retried if the connection breaks: the id of the change would be lost.
    /// </summary>
    /// <exception cref="EmbeddingsException">
    /// The call failed, for example with NOT_FOUND if a point does not exist; then nothing is changed.
    /// </exception>
    public virtual Task<NamePersonResponse> NamePersonAsync(
        NamePersonRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_persons.NamePersonAsync, request, repeatable: false, cancellationToken);

    /// <summary>Merges persons into one. Not retried if the connection breaks.</summary>
    /// <exception cref="EmbeddingsException">
    /// The call failed, for example with NOT_FOUND if one of the persons has no faces; then nothing is changed.
    /// </exception>
    public virtual Task<MergePersonsResponse> MergePersonsAsync(
        MergePersonsRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_persons.MergePersonsAsync, request, repeatable: false, cancellationToken);

    /// <summary>
    /// Moves some faces of a person to another name, or makes them unnamed. Not retried if the connection breaks.
    /// </summary>
    /// <exception cref="EmbeddingsException">
    /// The call failed, for example with FAILED_PRECONDITION if a point is not a face of the person; then nothing is
    /// changed.
    /// </exception>
    public virtual Task<SplitPersonResponse> SplitPersonAsync(
        SplitPersonRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_persons.SplitPersonAsync, request, repeatable: false, cancellationToken);

    /// <summary>
    /// Undoes a change of persons. Faces that were changed again since are left as they are. Not retried if the
    /// connection breaks.
    /// </summary>
    /// <exception cref="EmbeddingsException">
    /// The call failed, for example with NOT_FOUND if no face has the change as its last one.
    /// </exception>
    public virtual Task<UndoPersonChangeResponse> UndoPersonChangeAsync(
        UndoPersonChangeRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_persons.UndoPersonChangeAsync, request, repeatable: false, cancellationToken);

    /// <summary>
    /// Groups the faces of a collection into persons: returns progress, then one or more messages per person, largest
    /// first, then a summary.
    /// </summary>
    /// <remarks>
    /// The call has no deadline, since a large collection takes minutes. It is retried only if the connection breaks
    /// before the first message, and with <c>apply</c> not even then.
    /// </remarks>
    /// <param name="request">The collection, and what to do with the persons.</param>
    /// <param name="cancellationToken">Ends the call with <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="EmbeddingsException">
    /// The call failed, for example with NOT_FOUND for an unknown collection or RESOURCE_EXHAUSTED if it has more faces
    /// than the server's limit.
    /// </exception>
    public virtual IAsyncEnumerable<ClusterFacesResponse> ClusterFacesAsync(
        ClusterFacesRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        return _unary.StreamAsync(_persons.ClusterFaces, request, repeatable: !request.Apply, cancellationToken);
    }
}
