using Embeddings.V1;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.Extensions.AI;

namespace Embeddings.Client.AI;

/// <summary>
/// The service as a generator of Microsoft.Extensions.AI: pictures in, vectors out, in order. All of one call's pictures go through one stream, so that the
/// server runs them in batches. Safe to use from many threads at once.
/// </summary>
public sealed class EmbeddingGenerator : IEmbeddingGenerator<DataContent, Embedding<float>>
{
    private readonly EmbeddingsClient _client;
    private readonly ModelKind _kind;
    private readonly EmbeddingGeneratorMetadata _metadata;

    internal EmbeddingGenerator(EmbeddingsClient client, ModelKind kind, string model, int? dimensions)
    {
        _client = client;
        _kind = kind;
        _metadata = new EmbeddingGeneratorMetadata("embeddings", defaultModelId: model.Length > 0 ? model : null, defaultModelDimensions: dimensions);
    }

    /// <summary>Embeds pictures.</summary>
    /// <param name="values">Encoded pictures of media type <c>image/*</c> or <c>application/octet-stream</c>. Not copied.</param>
    /// <param name="options"><c>ModelId</c> names another model than the generator's; <c>Dimensions</c>, if given, must be the model's own.</param>
    /// <param name="cancellationToken">Ends it with <see cref="OperationCanceledException"/>.</param>
    /// <returns>One embedding a picture, in their order.</returns>
    /// <exception cref="ArgumentException">A value is not a picture; the message has its index.</exception>
    /// <exception cref="EmbeddingsException">A picture failed (the message and <c>Field</c> have its index), or the stream as a whole.</exception>
    public async Task<GeneratedEmbeddings<Embedding<float>>> GenerateAsync(
        IEnumerable<DataContent> values, EmbeddingGenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(values);
        var model = options?.ModelId ?? _metadata.DefaultModelId ?? "";
        var requests = values.Select((value, index) => Request(value, index, model)).ToAsyncEnumerable();
        var embeddings = new GeneratedEmbeddings<Embedding<float>>();
        await foreach (var response in _client.StreamEmbedAsync(requests, cancellationToken).ConfigureAwait(false))
        {
            embeddings.Add(Result(response, embeddings.Count, options?.Dimensions));
        }

        return embeddings;
    }

    /// <summary>The metadata, the client or the generator itself, by type.</summary>
    /// <param name="serviceType">What is asked for.</param>
    /// <param name="serviceKey">Null.</param>
    public object? GetService(System.Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        return serviceKey is not null ? null
            : serviceType == typeof(EmbeddingGeneratorMetadata) ? _metadata
            : serviceType == typeof(EmbeddingsClient) ? _client
            : serviceType.IsInstanceOfType(this) ? this
            : null;
    }

    /// <summary>Nothing: the client belongs to whoever made it.</summary>
    public void Dispose()
    {
    }

    private StreamEmbedRequest Request(DataContent value, int index, string model)
    {
        if (value is null || !(value.HasTopLevelMediaType("image") || value.MediaType == "application/octet-stream"))
        {
            throw new ArgumentException($"Value {index} is not a picture but {value?.MediaType ?? "null"}.", "values");
        }

        var image = new Image { Encoded = UnsafeByteOperations.UnsafeWrap(value.Data) };
        var request = new StreamEmbedRequest { ItemId = index.ToString(System.Globalization.CultureInfo.InvariantCulture), Model = model };
        if (_kind == ModelKind.Face)
        {
            request.Face = new FaceCrop { Image = image };
        }
        else
        {
            request.Image = image;
        }

        return request;
    }

    private static Embedding<float> Result(StreamEmbedResponse response, int index, int? dimensions)
    {
        if (response.Error is { } error)
        {
            var at = error.Field.Length > 0 ? $"values[{index}].{error.Field}" : $"values[{index}]";
            throw new EmbeddingsException((StatusCode)error.Code, error.Reason, $"Value {index}: {error.Message}", at, inner: error.ToException());
        }

        var vector = response.Embedding.Values.ToArray();
        return dimensions is null || dimensions == vector.Length
            ? new Embedding<float>(vector) { ModelId = response.Embedding.Model }
            : throw new EmbeddingsException(
                StatusCode.InvalidArgument,
                "DIMENSION_MISMATCH",
                $"Model '{response.Embedding.Model}' makes {vector.Length} dimensions, not {dimensions}.",
                "Dimensions");
    }
}
