using Embeddings.Primitives;

namespace Embeddings.Storage;

/// <summary>The required properties of a collection.</summary>
/// <param name="Name">
/// The name, validated by the caller: 1 to 128 of a-z, A-Z, 0-9, <c>_</c>, <c>-</c>, <c>.</c>.
/// </param>
/// <param name="Dimension">The dimension of its vectors.</param>
/// <param name="Model">The model that fills it; null if unknown, which permits any.</param>
internal sealed record CollectionSpec(string Name, int Dimension, ModelStamp? Model)
{
    /// <summary>The default limit of all stores on the dimension of a new collection.</summary>
    public const int DefaultMaxDimension = 16_384;

    /// <summary>Checks the dimension of a new collection: INVALID_ARGUMENT if it exceeds the limit.</summary>
    /// <param name="limit">The limit.</param>
    /// <param name="setting">The setting of the limit, for the message.</param>
    /// <param name="field">The field that gives the dimension, for the message.</param>
    public void RequireDimension(int limit, string setting, string field = "vector")
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(Dimension);
        if (Dimension > limit)
        {
            throw Fault.Invalid(
                field == "vector" ? Reasons.FieldTooLong : Reasons.FieldInvalid,
                field,
                field == "vector"
                    ? $"vector must have at most {limit} dimensions ({setting}); got {Dimension}."
                    : $"{field} must be between 1 and {limit} ({setting}); got {Dimension}.")
                .With(FaultKeys.Collection, Name)
                .With(FaultKeys.Limit, limit)
                .With(FaultKeys.Actual, Dimension)
                .With(FaultKeys.Setting, setting);
        }
    }

    /// <summary>
    /// Checks this existing collection against the one a caller needs: FAILED_PRECONDITION, naming both sides, if they
    /// differ. Returns true if the caller's model becomes the collection's first.
    /// </summary>
    public bool Adopts(CollectionSpec wanted)
    {
        if (Dimension != wanted.Dimension)
        {
            var source = wanted.Model is { } maker ? $"model '{maker.Name}' makes" : "the vectors have";
            throw new Fault(
                FaultKind.FailedPrecondition,
                wanted.Model is null ? Reasons.DimensionMismatch : Reasons.CollectionModelMismatch,
                $"Collection '{Name}' holds vectors with {Dimension} dimensions; {source} {wanted.Dimension}. "
                + "Use another collection.")
                .With(FaultKeys.Collection, Name)
                .With(FaultKeys.Expected, Dimension)
                .With(FaultKeys.Actual, wanted.Dimension);
        }

        if (Model is { } first && wanted.Model is { } model && first.Fingerprint != model.Fingerprint)
        {
            throw new Fault(
                FaultKind.FailedPrecondition,
                Reasons.CollectionModelMismatch,
                $"Collection '{Name}' holds vectors of model '{first.Name}' (fingerprint {Short(first)}), "
                + $"not of model '{model.Name}' (fingerprint {Short(model)}). Use another collection.")
                .With(FaultKeys.Collection, Name)
                .With(FaultKeys.Model, model.Name)
                .With(FaultKeys.Expected, first.Fingerprint)
                .With(FaultKeys.Actual, model.Fingerprint);
        }

        return Model is null && wanted.Model is not null;
    }

    private static string Short(ModelStamp model) => model.Fingerprint[..Math.Min(12, model.Fingerprint.Length)];
}

/// <summary>The state of a collection.</summary>
/// <param name="Name">The name.</param>
/// <param name="Dimension">The dimension of its vectors.</param>
/// <param name="Count">The number of points.</param>
/// <param name="Model">The model that fills it; null if no known model has yet.</param>
internal sealed record CollectionInfo(string Name, int Dimension, long Count, ModelStamp? Model)
{
    public CollectionSettings Settings { get; init; } = CollectionSettings.None;

    /// <summary>The state of the approximate index; null if there is none, or if the caller did not request it.</summary>
    public ApproximateIndexState? ApproximateIndex { get; init; }

    /// <summary>The attributes that have an index, in the order of their paths.</summary>
    public IReadOnlyList<IndexedAttribute> IndexedAttributes { get; init; } = [];

    public CollectionSpec Spec => new(Name, Dimension, Model);
}

/// <summary>The model that fills a collection.</summary>
/// <param name="Name">The name, for messages.</param>
/// <param name="Fingerprint">
/// SHA-256 of file and preprocessing, 64 hexadecimal digits; the value that is compared.
/// </param>
internal sealed record ModelStamp(string Name, string Fingerprint);

/// <summary>Errors that all stores report in the same words.</summary>
internal static class CollectionFaults
{
    public static Fault NotFound(string collection) =>
        new Fault(FaultKind.NotFound, Reasons.CollectionNotFound, $"Collection '{collection}' does not exist.", "collection")
            .With(FaultKeys.Collection, collection);

    public static Fault Exists(string collection) =>
        new Fault(
            FaultKind.AlreadyExists,
            Reasons.CollectionExists,
            $"Collection '{collection}' exists already. Use another name, or change the settings of the collection.",
            "collection")
            .With(FaultKeys.Collection, collection);

    public static Fault PointNotFound(string collection, string id) =>
        new Fault(
            FaultKind.NotFound,
            Reasons.PointNotFound,
            $"Point '{id}' does not exist in collection '{collection}'.",
            "point_id")
            .With(FaultKeys.Collection, collection)
            .With(FaultKeys.Point, id);

    public static Fault NotIndexed(string collection, IReadOnlyList<string> path) =>
        new Fault(
            FaultKind.FailedPrecondition,
            Reasons.AttributeNotIndexed,
            $"Collection '{collection}' has no index of numbers or times for attribute '{string.Join('.', path)}', which the order "
            + "needs. Add it to the indexed attributes (UpdateCollection).",
            "order_by.attribute")
            .With(FaultKeys.Collection, collection);

    public static Fault WrongDimension(string collection, int expected, int actual) =>
        Fault.Invalid(
            Reasons.DimensionMismatch,
            "vector",
            $"vector must have {expected} dimensions, as collection '{collection}' has; got {actual}.")
            .With(FaultKeys.Collection, collection)
            .With(FaultKeys.Expected, expected)
            .With(FaultKeys.Actual, actual);

    public static Fault OnHold(string collection, string id) =>
        new Fault(
            FaultKind.FailedPrecondition,
            Reasons.PointOnHold,
            $"Point '{id}' of collection '{collection}' is on legal hold and cannot be replaced or removed. End the hold first "
            + "(SetLegalHold).",
            "point_id")
            .With(FaultKeys.Collection, collection)
            .With(FaultKeys.Point, id);

    public static Fault NotStarted() =>
        new(FaultKind.Unavailable, Reasons.StoreUnavailable, "The store has not been started.");

    public static Fault ShuttingDown(Exception? inner = null) =>
        new(FaultKind.Unavailable, Reasons.ShuttingDown, "The store is shutting down.", inner: inner);
}
