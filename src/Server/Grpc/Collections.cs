using Embeddings.Core;
using Embeddings.Server.Hosting;
using Embeddings.Storage;

namespace Embeddings.Server.Grpc;

/// <summary>The collections of models.</summary>
internal static class Collections
{
    /// <summary>Returns the specification of a collection that holds the vectors of a model.</summary>
    public static CollectionSpec SpecFor(string collection, ModelInfo model) =>
        new(collection, model.Dimension, new(model.Name, model.Fingerprint));
}

/// <summary>The default collections, of requests that do not name one.</summary>
internal sealed class DefaultCollections(StoreOptions options)
{
    /// <summary>
    /// Puts the names of default collections into the fields of a request that are empty, so that everything behind it, such as
    /// checks of access, audit, and aliases, has a name.
    /// </summary>
    public void Fill(object request) => CollectionFields.Change(
        request, (options.ImageCollection, options.FaceCollection), static (name, field, defaults) =>
            name.Length > 0 ? name : field switch
            {
                CollectionField.OfImages => defaults.ImageCollection,
                CollectionField.OfFaces => defaults.FaceCollection,
                _ => "",
            });

    /// <summary>Returns the kind whose default collection this is, or null.</summary>
    public ModelKind? KindOf(string collection) =>
        collection == options.ImageCollection ? ModelKind.Image
        : collection == options.FaceCollection ? ModelKind.Face
        : null;
}
