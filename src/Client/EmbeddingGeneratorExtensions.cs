using Embeddings.Client.AI;
using Embeddings.V1;
using Grpc.Core;

namespace Embeddings.Client;

/// <summary>From a client to a generator of Microsoft.Extensions.AI.</summary>
public static class EmbeddingGeneratorExtensions
{
    /// <summary>The client as an <c>IEmbeddingGenerator&lt;DataContent, Embedding&lt;float&gt;&gt;</c>.</summary>
    /// <param name="client">The client; it must outlive the generator.</param>
    /// <param name="kind">Whether the pictures are whole images or aligned face crops.</param>
    /// <param name="model">Name of a model of that kind; empty for the server's default one.</param>
    /// <param name="dimensions">Numbers in its vectors, for the metadata; null where not known.</param>
    /// <exception cref="ArgumentOutOfRangeException">The kind is neither.</exception>
    public static EmbeddingGenerator AsEmbeddingGenerator(this EmbeddingsClient client, ModelKind kind, string model = "", int? dimensions = null)
    {
        ArgumentNullException.ThrowIfNull(client);
        ArgumentNullException.ThrowIfNull(model);
        return kind is ModelKind.Image or ModelKind.Face
            ? new EmbeddingGenerator(client, kind, model, dimensions)
            : throw new ArgumentOutOfRangeException(nameof(kind), kind, "Image or Face.");
    }

    /// <summary>The same, its metadata (model name, dimensions) asked of the server.</summary>
    /// <param name="client">The client; it must outlive the generator.</param>
    /// <param name="kind">Whether the pictures are whole images or aligned face crops.</param>
    /// <param name="model">Name of a model of that kind; empty for the server's default one.</param>
    /// <param name="cancellationToken">Cancels the question.</param>
    /// <exception cref="EmbeddingsException">NOT_FOUND: the model is not there, or there is no default of the kind.</exception>
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

        throw new EmbeddingsException(StatusCode.NotFound, "MODEL_NOT_FOUND", $"The server has no default model of kind {kind}.", "model");
    }
}
