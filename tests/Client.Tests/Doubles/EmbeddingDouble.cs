using Embeddings.V1;
using Grpc.Core;

namespace Embeddings.Client.Tests.Doubles;

internal sealed class EmbeddingDouble(Behaviour behaviour) : EmbeddingService.EmbeddingServiceBase
{
    public override async Task<EmbedImageResponse> EmbedImage(EmbedImageRequest request, ServerCallContext context)
    {
        behaviour.Calls.Enqueue("EmbedImage");
        await behaviour.OnUnary("EmbedImage", context);
        return new EmbedImageResponse { Embedding = new Embedding { Model = request.Model, Values = { request.Image?.Encoded.Length ?? 0 } } };
    }

    public override async Task<EmbedFaceResponse> EmbedFace(EmbedFaceRequest request, ServerCallContext context)
    {
        behaviour.Calls.Enqueue("EmbedFace");
        await behaviour.OnUnary("EmbedFace", context);
        return new EmbedFaceResponse { Embedding = new Embedding { Model = request.Model, UnitLength = true } };
    }

    public override Task StreamEmbed(
        IAsyncStreamReader<StreamEmbedRequest> requestStream, IServerStreamWriter<StreamEmbedResponse> responseStream, ServerCallContext context) =>
        behaviour.OnStreamEmbed(requestStream, responseStream, context);
}
