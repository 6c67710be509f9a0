using Embeddings.Primitives;

namespace Embeddings.Storage;

/// <summary>What all stores say alike when a collection or a point is not there.</summary>
internal static class CollectionFaults
{
    public static Fault NotFound(string collection) =>
        new(FaultKind.NotFound, Reasons.CollectionNotFound, $"there is no collection '{collection}'", "collection");

    public static Fault PointNotFound(string collection, string id) =>
        new(FaultKind.NotFound, Reasons.PointNotFound, $"there is no point '{id}' in collection '{collection}'", "point_id");
}
