using Embeddings.V1;

namespace Embeddings.Client;

/// <content>VectorStoreService: collections, aliases, and operations on several points.</content>
public partial class EmbeddingsClient
{
    /// <summary>
    /// Creates a collection for vectors of a dimension, or of a model, with its settings. Collections that do not exist are also created
    /// by the first write, with default settings. Not retried if the connection breaks.
    /// </summary>
    /// <exception cref="EmbeddingsException">
    /// The call failed, for example with ALREADY_EXISTS if a collection or an alias has the name, NOT_FOUND if the model does not exist, or
    /// INVALID_ARGUMENT if a setting is invalid.
    /// </exception>
    public virtual Task<CreateCollectionResponse> CreateCollectionAsync(
        CreateCollectionRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_vectorStore.CreateCollectionAsync, request, repeatable: false, cancellationToken);

    /// <summary>Returns a collection with its settings and aliases.</summary>
    /// <exception cref="EmbeddingsException">
    /// The call failed, for example with NOT_FOUND for an unknown collection.
    /// </exception>
    public virtual Task<GetCollectionResponse> GetCollectionAsync(
        GetCollectionRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_vectorStore.GetCollectionAsync, request, repeatable: true, cancellationToken);

    /// <summary>Changes settings of a collection and returns once they are durable.</summary>
    /// <exception cref="EmbeddingsException">
    /// The call failed, for example with NOT_FOUND for an unknown collection, or INVALID_ARGUMENT if a setting is invalid or nothing changes.
    /// </exception>
    public virtual Task<UpdateCollectionResponse> UpdateCollectionAsync(
        UpdateCollectionRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_vectorStore.UpdateCollectionAsync, request, repeatable: true, cancellationToken);

    /// <summary>
    /// Creates, moves, and deletes aliases in one step: other calls see all changes or none. Not retried if the connection breaks, since
    /// an alias that was deleted cannot be deleted again.
    /// </summary>
    /// <exception cref="EmbeddingsException">
    /// The call failed, for example with NOT_FOUND for an unknown collection or alias, or ALREADY_EXISTS if a collection has the name of an
    /// alias to set.
    /// </exception>
    public virtual Task<UpdateAliasesResponse> UpdateAliasesAsync(
        UpdateAliasesRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_vectorStore.UpdateAliasesAsync, request, repeatable: false, cancellationToken);

    /// <summary>Returns one page of the aliases, sorted by name.</summary>
    /// <exception cref="EmbeddingsException">
    /// The call failed, for example with INVALID_ARGUMENT for an invalid page token.
    /// </exception>
    public virtual Task<ListAliasesResponse> ListAliasesAsync(
        ListAliasesRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_vectorStore.ListAliasesAsync, request, repeatable: true, cancellationToken);

    /// <summary>Returns 1 to 1,000 points by their ids, and the ids that do not exist.</summary>
    /// <exception cref="EmbeddingsException">
    /// The call failed, for example with NOT_FOUND for an unknown collection, or RESOURCE_EXHAUSTED if the response is too large.
    /// </exception>
    public virtual Task<GetVectorsResponse> GetVectorsAsync(
        GetVectorsRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_vectorStore.GetVectorsAsync, request, repeatable: true, cancellationToken);

    /// <summary>
    /// Changes user-defined fields of points, by id or by filter, and returns the number of points that were selected, once the change is
    /// durable.
    /// </summary>
    /// <exception cref="EmbeddingsException">
    /// The call failed, for example with NOT_FOUND for an unknown collection or point, or INVALID_ARGUMENT if the attributes of a point would be
    /// too large.
    /// </exception>
    public virtual Task<SetAttributesResponse> SetAttributesAsync(
        SetAttributesRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_vectorStore.SetAttributesAsync, request, repeatable: true, cancellationToken);
}
