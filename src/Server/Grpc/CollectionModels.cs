using Embeddings.Core;
using Embeddings.Core.Models;
using Embeddings.Storage;
using Grpc.Core;
using Grpc.Core.Interceptors;

namespace Embeddings.Server.Grpc;

/// <summary>
/// Puts the model of its collection into a request that names none, if the server has it: callers of an alias need not change when
/// the alias gets a collection of another model. Otherwise the field stays empty, which means the default model of the kind.
/// </summary>
/// <remarks>Aliases have been resolved by then. What a request resolves to is one collection and the model that fills it.</remarks>
internal sealed class CollectionModels(IVectorStore store, ModelCatalog models)
{
    public ValueTask FillAsync(object request, CancellationToken cancellationToken) => request switch
    {
        V1.IngestImageRequest { Model: "" } image =>
            FillAsync(image.Collection, ModelKind.Image, name => image.Model = name, cancellationToken),
        V1.IngestFaceRequest { Model: "" } face =>
            FillAsync(face.Collection, ModelKind.Face, name => face.Model = name, cancellationToken),
        V1.IngestPhotoRequest { Model: "" } photo =>
            FillAsync(photo.Collection, ModelKind.Face, name => photo.Model = name, cancellationToken),
        V1.StreamIngestRequest { Model: "" } item => FillAsync(
            item.Collection,
            item.ItemCase == V1.StreamIngestRequest.ItemOneofCase.Image ? ModelKind.Image : ModelKind.Face,
            name => item.Model = name,
            cancellationToken),
        V1.IdentifyFacesRequest { Model: "" } photo =>
            FillAsync(photo.Collection, ModelKind.Face, name => photo.Model = name, cancellationToken),
        V1.SearchVectorsRequest search => FillAsync(search.Collection, search.Queries, cancellationToken),
        V1.SearchByMediaStoreIdRequest { Query: { } query } search => FillAsync(search.Collection, [query], cancellationToken),
        _ => ValueTask.CompletedTask,
    };

    private async ValueTask FillAsync(
        string collection, IEnumerable<V1.SearchQuery> queries, CancellationToken cancellationToken)
    {
        foreach (var query in queries)
        {
            if (query.Model.Length == 0 && KindOf(query) is { } kind)
            {
                await FillAsync(collection, kind, name => query.Model = name, cancellationToken);
            }
        }
    }

    private static ModelKind? KindOf(V1.SearchQuery query) =>
        query.Image is not null ? ModelKind.Image
        : query.Face is not null ? ModelKind.Face
        : query.Examples is { } examples ? KindOf(examples.Positive.Concat(examples.Negative))
        : null;

    // One model embeds all examples of a query.
    private static ModelKind? KindOf(IEnumerable<V1.Example> examples) =>
        examples.FirstOrDefault(static example => example.Image is not null || example.Face is not null) is not { } first ? null
        : first.Image is not null ? ModelKind.Image
        : ModelKind.Face;

    private async ValueTask FillAsync(
        string collection, ModelKind kind, Action<string> set, CancellationToken cancellationToken)
    {
        // An invalid name is an error of the handler.
        if (!Mapping.Require.IsCollection(collection)
            || (await store.FindCollectionAsync(collection, cancellationToken))?.Spec.Model is not { } maker
            || models.DefaultOf(kind)?.Info.Fingerprint == maker.Fingerprint)
        {
            return;
        }
        var model = models.All.FirstOrDefault(model => model.Info.Kind == kind && model.Info.Fingerprint == maker.Fingerprint);
        if (model is not null)
        {
            set(model.Name);
        }
    }
}

/// <summary>
/// Chooses the models of unary calls. It is behind the resolution of aliases; streams choose where their items are read
/// (<see cref="Streaming.StreamContext"/>).
/// </summary>
internal sealed class ModelsInterceptor(CollectionModels models) : Interceptor
{
    public override async Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        await models.FillAsync(request, context.CancellationToken);
        return await continuation(request, context);
    }
}
