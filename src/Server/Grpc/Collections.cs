using Embeddings.Core;
using Embeddings.Storage;

namespace Embeddings.Server.Grpc;

/// <summary>The default collections of requests that do not name one.</summary>
internal static class Collections
{
    public const string Images = "image_embeddings";

    public const string Faces = "face_embeddings";

    public static string Of(ModelKind kind) => kind == ModelKind.Face ? Faces : Images;

    /// <summary>Returns the kind whose default collection this is, or null.</summary>
    public static ModelKind? KindOf(string collection) => collection switch
    {
        Images => ModelKind.Image,
        Faces => ModelKind.Face,
        _ => null,
    };

    /// <summary>Returns the specification of a collection that holds the vectors of a model.</summary>
    public static CollectionSpec SpecFor(string collection, ModelInfo model) =>
        new(collection, model.Dimension, new(model.Name, model.Fingerprint));
}
