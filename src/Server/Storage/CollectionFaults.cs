using Embeddings.Server.Diagnostics;

namespace Embeddings.Server.Storage;

/// <summary>What all stores say alike when a collection is not there or not as asked.</summary>
internal static class CollectionFaults
{
    public static Fault NotFound(string collection) =>
        new(FaultKind.NotFound, Reasons.CollectionNotFound, $"there is no collection '{collection}'", "collection");

    public static Fault PointNotFound(string collection, string id) =>
        new(FaultKind.NotFound, Reasons.PointNotFound, $"there is no point '{id}' in collection '{collection}'", "point_id");

    /// <summary>FAILED_PRECONDITION, naming both sides, where the model of a spec cannot fill or search the collection.</summary>
    public static void ThrowIfMismatch(CollectionInfo actual, CollectionSpec wanted)
    {
        if (actual.Dimension != wanted.Dimension)
        {
            var whose = wanted.Model is null ? "the vector has" : $"model '{wanted.Model.Name}' makes vectors of";
            throw new Fault(
                FaultKind.FailedPrecondition,
                Reasons.CollectionModelMismatch,
                $"collection '{actual.Name}' holds vectors of {actual.Dimension} numbers, {whose} {wanted.Dimension}",
                "collection");
        }
        if (actual.Model is { } one && wanted.Model is { } other && one.Fingerprint != other.Fingerprint)
        {
            throw new Fault(
                FaultKind.FailedPrecondition,
                Reasons.CollectionModelMismatch,
                $"collection '{actual.Name}' is filled by model '{one.Name}' ({one.Fingerprint[..12]}), not by '{other.Name}' ({other.Fingerprint[..12]}): "
                    + "vectors of different models cannot be compared; use another collection",
                "collection");
        }
    }
}
