using Embeddings.Primitives;

namespace Embeddings.Storage;

/// <summary>Whether a collection is what a caller needs.</summary>
internal static class CollectionRules
{
    /// <summary>FAILED_PRECONDITION, naming both sides, where it is not; else whether the caller's model becomes the collection's first.</summary>
    public static bool Adopts(CollectionSpec existing, CollectionSpec wanted)
    {
        if (existing.Dimension != wanted.Dimension)
        {
            var other = wanted.Model is { } maker ? $"the model '{maker.Name}' makes {wanted.Dimension}" : $"the vectors have {wanted.Dimension} numbers";
            throw new Fault(
                FaultKind.FailedPrecondition,
                wanted.Model is null ? Reasons.DimensionMismatch : Reasons.CollectionModelMismatch,
                $"collection '{wanted.Name}' holds {existing.Dimension}-dimensional vectors, {other}");
        }

        if (existing.Model is { } first && wanted.Model is { } model && first.Fingerprint != model.Fingerprint)
        {
            throw new Fault(
                FaultKind.FailedPrecondition,
                Reasons.CollectionModelMismatch,
                $"collection '{wanted.Name}' holds vectors of the model '{first.Name}' (fingerprint {Short(first)}), "
                + $"not of '{model.Name}' (fingerprint {Short(model)}); use another collection");
        }

        return existing.Model is null && wanted.Model is not null;
    }

    private static string Short(ModelStamp model) => model.Fingerprint.Length > 12 ? model.Fingerprint[..12] : model.Fingerprint;
}
