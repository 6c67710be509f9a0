using Embeddings.V1;

namespace Embeddings.Client;

/// <content>ModelService.</content>
public sealed partial class EmbeddingsClient
{
    /// <summary>Returns one page of the server's models, sorted by name.</summary>
    /// <exception cref="EmbeddingsException">
    /// The call failed, for example with INVALID_ARGUMENT for an invalid page token.
    /// </exception>
    public Task<ListModelsResponse> ListModelsAsync(ListModelsRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_models.ListModelsAsync, request, repeatable: true, cancellationToken);

    /// <summary>Returns one model.</summary>
    /// <exception cref="EmbeddingsException">
    /// The call failed, for example with NOT_FOUND if the model does not exist.
    /// </exception>
    public Task<GetModelResponse> GetModelAsync(GetModelRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_models.GetModelAsync, request, repeatable: true, cancellationToken);
}
