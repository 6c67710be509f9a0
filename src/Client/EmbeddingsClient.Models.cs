using Embeddings.V1;

namespace Embeddings.Client;

/// <content>ModelService.</content>
public sealed partial class EmbeddingsClient
{
    /// <summary>One page of the server's models, by name.</summary>
    /// <exception cref="EmbeddingsException">The call failed: INVALID_ARGUMENT for a bad page token.</exception>
    public Task<ListModelsResponse> ListModelsAsync(ListModelsRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_models.ListModelsAsync, request, repeatable: true, cancellationToken);

    /// <summary>One model.</summary>
    /// <exception cref="EmbeddingsException">The call failed: NOT_FOUND where it is not there.</exception>
    public Task<GetModelResponse> GetModelAsync(GetModelRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(_models.GetModelAsync, request, repeatable: true, cancellationToken);
}
