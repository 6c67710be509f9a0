using Embeddings.Core;
using Embeddings.Storage;

namespace Embeddings.Server.Grpc;

/// <summary>The collections that requests mean when they name none.</summary>
internal static class Collections
{
    public const string Images = "image_embeddings";

    public const string Faces = "face_embeddings";

    public static string Of(ModelKind kind) => kind == ModelKind.Face ? Faces : Images;

    /// <summary>The kind whose own collection this is, or null.</summary>
    public static ModelKind? KindOf(string collection) => collection switch
    {
        Images => ModelKind.Image,
        Faces => ModelKind.Face,
        _ => null,
    };

    /// <summary>What a collection must be for a model's vectors.</summary>
    public static CollectionSpec SpecFor(string collection, ModelInfo model) =>
        new(collection, model.Dimension, new(model.Name, model.Fingerprint));
}
