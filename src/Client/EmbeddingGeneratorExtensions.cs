using Embeddings.Client.AI;
using Embeddings.V1;
using Grpc.Core;

namespace Embeddings.Client;

/// <summary>Creates <c>Microsoft.Extensions.AI</c> embedding generators from a client.</summary>
public static class EmbeddingGeneratorExtensions
{
    /// <summary>
    /// Creates an <c>IEmbeddingGenerator&lt;DataContent, Embedding&lt;float&gt;&gt;</c> that uses the client.
    /// </summary>
    /// <param name="client">Client to use. Dispose of it only after the last use of the generator.</param>
    /// <param name="kind">
    /// Kind of model: <see cref="ModelKind.Image"/> for whole images, <see cref="ModelKind.Face"/> for aligned face
    /// crops.
    /// </param>
    /// <param name="model">
    /// Name of a model of that kind. If empty, the server's default model of that kind is used.
    /// </param>
    /// <param name="dimensions">
    /// Number of dimensions of the model's vectors, reported in the metadata, or null if unknown.
    /// </param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="kind"/> is neither Image nor Face.</exception>
    public static EmbeddingGenerator AsEmbeddingGenerator(this EmbeddingsClient client, ModelKind kind, string model = "", int? dimensions = null)
    {
        ArgumentNullException.ThrowIfNull(client);
        ArgumentNullException.ThrowIfNull(model);
        return kind is ModelKind.Image or ModelKind.Face
            ? new EmbeddingGenerator(client, kind, model, dimensions)
            : throw new ArgumentOutOfRangeException(nameof(kind), kind, $"kind must be Image or Face; got {kind}.");
    }

    /// <summary>Creates a generator and reads its metadata (model name and dimensions) from the server.</summary>
    /// <param name="client">Client to use. Dispose of it only after the last use of the generator.</param>
    /// <param name="kind">
    /// Kind of model: <see cref="ModelKind.Image"/> for whole images, <see cref="ModelKind.Face"/> for aligned face
    /// crops.
    /// </param>
    /// <param name="model">
    /// Name of a model of that kind. If empty, the server's default model of that kind is used.
    /// </param>
    /// <param name="cancellationToken">Cancels the request.</param>
    /// <exception cref="EmbeddingsException">
    /// NOT_FOUND if the model does not exist or the server has no default model of that kind.
    /// </exception>
    public static async Task<EmbeddingGenerator> CreateEmbeddingGeneratorAsync(
        this EmbeddingsClient client, ModelKind kind, string model = "", CancellationToken cancellationToken = default)
    {
        if (model.Length > 0)
        {
            var named = (await client.GetModelAsync(new GetModelRequest { Name = model }, cancellationToken).ConfigureAwait(false)).Model;
            return client.AsEmbeddingGenerator(kind, named.Name, named.Dimension);
        }

        await foreach (var candidate in client.ListAllModelsAsync(cancellationToken).ConfigureAwait(false))
        {
            if (candidate.Kind == kind && candidate.DefaultForKind)
            {
                return client.AsEmbeddingGenerator(kind, candidate.Name, candidate.Dimension);
            }
        }

        throw new EmbeddingsException(
            StatusCode.NotFound,
            "MODEL_NOT_FOUND",
            $"The server has no default model of kind {kind}. Specify a model name.",
            "model");
    }
}
