using System.Globalization;
using Embeddings.Client.Calls;
using Embeddings.V1;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.Extensions.AI;

namespace Embeddings.Client;

/// <summary>Creates <c>Microsoft.Extensions.AI</c> embedding generators from a client.</summary>
public static class EmbeddingGeneratorExtensions
{
    /// <summary>
    /// Creates a generator that uses the client. All images of a call are sent in one stream so that the server can
    /// batch them. The generator is thread-safe.
    /// </summary>
    /// <param name="client">Client to use. Dispose of it only after the last use of the generator.</param>
    /// <param name="kind">
    /// Kind of model: <see cref="ModelKind.Image"/> for whole images, <see cref="ModelKind.Face"/> for aligned face
    /// crops, which are square or have at most 128 pixels per side; the server rejects whole photos.
    /// </param>
    /// <param name="model">
    /// Name of a model of that kind. If empty, the server's default model of that kind is used.
    /// </param>
    /// <param name="dimensions">
    /// Number of dimensions of the model's vectors, reported in the metadata, or null if unknown.
    /// </param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="kind"/> is neither Image nor Face.</exception>
    public static IEmbeddingGenerator<DataContent, Embedding<float>> AsEmbeddingGenerator(
        this EmbeddingsClient client, ModelKind kind, string model = "", int? dimensions = null)
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
    /// crops, which are square or have at most 128 pixels per side; the server rejects whole photos.
    /// </param>
    /// <param name="model">
    /// Name of a model of that kind. If empty, the server's default model of that kind is used.
    /// </param>
    /// <param name="cancellationToken">Cancels the request.</param>
    /// <exception cref="EmbeddingsException">
    /// NOT_FOUND if the model does not exist or the server has no default model of that kind.
    /// </exception>
    public static async Task<IEmbeddingGenerator<DataContent, Embedding<float>>> CreateEmbeddingGeneratorAsync(
        this EmbeddingsClient client, ModelKind kind, string model = "", CancellationToken cancellationToken = default)
    {
        if (model.Length > 0)
        {
            var request = new GetModelRequest { Name = model };
            var named = (await client.GetModelAsync(request, cancellationToken).ConfigureAwait(false)).Model;
            return client.AsEmbeddingGenerator(kind, named.Name, named.Dimension);
        }

        var found = await client.ListAllModelsAsync(cancellationToken)
            .FirstOrDefaultAsync(candidate => candidate.Kind == kind && candidate.DefaultForKind, cancellationToken)
            .ConfigureAwait(false)
            ?? throw new EmbeddingsException(
                StatusCode.NotFound,
                "MODEL_NOT_FOUND",
                $"The server has no default model of kind {kind}. Specify a model name.",
                "model");
        return client.AsEmbeddingGenerator(kind, found.Name, found.Dimension);
    }
}

/// <summary>
/// <c>Microsoft.Extensions.AI</c> embedding generator that uses the Embeddings service. All images of a call are sent
/// in one stream so that the server can batch them. Thread-safe.
/// </summary>
internal sealed class EmbeddingGenerator : IEmbeddingGenerator<DataContent, Embedding<float>>
{
    private readonly EmbeddingsClient _client;
    private readonly ModelKind _kind;
    private readonly EmbeddingGeneratorMetadata _metadata;

    internal EmbeddingGenerator(EmbeddingsClient client, ModelKind kind, string model, int? dimensions)
    {
        _client = client;
        _kind = kind;
        _metadata = new EmbeddingGeneratorMetadata(
            "embeddings", defaultModelId: model.Length > 0 ? model : null, defaultModelDimensions: dimensions);
    }

    /// <summary>Embeds images.</summary>
    /// <param name="values">
    /// Encoded images of media type <c>image/*</c> or <c>application/octet-stream</c>. Not copied: do not modify them
    /// before the call completes.
    /// </param>
    /// <param name="options">
    /// <c>ModelId</c> overrides the generator's model. <c>Dimensions</c>, if set, must equal the model's dimension.
    /// </param>
    /// <param name="cancellationToken">Cancels the call with <see cref="OperationCanceledException"/>.</param>
    /// <returns>One embedding per image, in the order of the images.</returns>
    /// <exception cref="ArgumentException">A value is not an image. The message gives its index.</exception>
    /// <exception cref="EmbeddingsException">
    /// An image failed (the message and <c>Field</c> give its index), the whole stream failed, or the next embedding did
    /// not arrive within <see cref="EmbeddingsClientOptions.Deadline"/>, including all reconnects (DEADLINE_EXCEEDED).
    /// </exception>
    public async Task<GeneratedEmbeddings<Embedding<float>>> GenerateAsync(
        IEnumerable<DataContent> values,
        EmbeddingGenerationOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(values);
        var model = options?.ModelId ?? _metadata.DefaultModelId ?? "";
        var requests = values.Select((value, index) => Request(value, index, model)).ToAsyncEnumerable();
        var embeddings = new GeneratedEmbeddings<Embedding<float>>();
        // Restarted with each response: the time that a call takes grows with the number of images.
        var deadline = _client.Options.Deadline;
        using var overdue = new CancellationTokenSource(deadline, _client.Time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(overdue.Token, cancellationToken);
        try
        {
            await foreach (var response in _client.StreamEmbedAsync(requests, stop.Token).ConfigureAwait(false))
            {
                embeddings.Add(Result(response, embeddings.Count, options?.Dimensions));
                overdue.CancelAfter(deadline);
            }
        }
        catch (OperationCanceledException canceled) when (!cancellationToken.IsCancellationRequested && stop.IsCancellationRequested)
        {
            throw Overdue(embeddings.Count, deadline, canceled.InnerException as RpcException);
        }

        return embeddings;
    }

    /// <summary>Returns the metadata, the client, or the generator itself, depending on the type.</summary>
    /// <param name="serviceType">Type of the requested object.</param>
    /// <param name="serviceKey">Must be null; for any other key, the method returns null.</param>
    public object? GetService(System.Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        if (serviceKey is not null)
        {
            return null;
        }

        object[] services = [_metadata, _client, this];
        return services.FirstOrDefault(serviceType.IsInstanceOfType);
    }

    /// <summary>Does nothing. The client is not owned by the generator and is not disposed of.</summary>
    public void Dispose()
    {
    }

    private StreamEmbedRequest Request(DataContent value, int index, string model)
    {
        if (value is null || !(value.HasTopLevelMediaType("image") || value.MediaType == "application/octet-stream"))
        {
            throw new ArgumentException(
                $"Value {index} must have media type image/* or application/octet-stream; got {value?.MediaType ?? "null"}.",
                "values");
        }

        var image = new Image { Encoded = UnsafeByteOperations.UnsafeWrap(value.Data) };
        var request = new StreamEmbedRequest
        {
            ItemId = index.ToString(CultureInfo.InvariantCulture),
            Model = model,
            VectorsAsBytes = true,
        };
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

    private static EmbeddingsException Overdue(int index, TimeSpan deadline, RpcException? failure)
    {
        var cause = failure is null ? "" : $" The connection broke: {ErrorDetails.Message(failure)}";
        return new EmbeddingsException(
            StatusCode.DeadlineExceeded,
            "",
            $"Value {index} was not embedded within {deadline.TotalSeconds:0.###} s (Deadline).{cause}",
            $"values[{index}]",
            inner: failure);
    }

    private static Embedding<float> Result(StreamEmbedResponse response, int index, int? dimensions)
    {
        if (response.Error is { } error)
        {
            var at = error.Field.Length > 0 ? $"values[{index}].{error.Field}" : $"values[{index}]";
            var message = $"Value {index}: {error.Message}";
            throw new EmbeddingsException((StatusCode)error.Code, error.Reason, message, at, inner: error.ToException());
        }

        var vector = response.Embedding.GetVector().ToArray();
        return dimensions is null || dimensions == vector.Length
            ? new Embedding<float>(vector) { ModelId = response.Embedding.Model }
            : throw new EmbeddingsException(
                StatusCode.InvalidArgument,
                "DIMENSION_MISMATCH",
                $"Dimensions must be {vector.Length}, as in model '{response.Embedding.Model}'; got {dimensions}.",
                "Dimensions");
    }
}
