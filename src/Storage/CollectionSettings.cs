using Embeddings.Primitives;

namespace Embeddings.Storage;

/// <summary>Settings of a collection, besides the indexed attributes.</summary>
internal sealed record CollectionSettings
{
    public static CollectionSettings None { get; } = new();

    /// <summary>Time after which points are deleted, counted from their time of storing, in whole seconds; null for none.</summary>
    public TimeSpan? Retention { get; init; }

    /// <summary>Settings of the approximate index of an embedded collection; null for none.</summary>
    public ApproximateIndexSettings? ApproximateIndex { get; init; }
}

/// <summary>Settings of an approximate index.</summary>
/// <param name="Links">The number of links per point, 4 to 64.</param>
/// <param name="BuildCandidates">The number of candidates while the graph is built, 16 to 1,000.</param>
internal sealed record ApproximateIndexSettings(int Links, int BuildCandidates);

/// <summary>A change of settings. What is null or false stays as it is.</summary>
internal sealed record SettingsChange
{
    public TimeSpan? Retention { get; init; }

    public bool RemoveRetention { get; init; }

    public ApproximateIndexSettings? ApproximateIndex { get; init; }

    public bool RemoveApproximateIndex { get; init; }

    /// <summary>True if nothing changes.</summary>
    public bool IsEmpty => this == new SettingsChange();

    public CollectionSettings Apply(CollectionSettings settings) => new()
    {
        Retention = RemoveRetention ? null : Retention ?? settings.Retention,
        ApproximateIndex = RemoveApproximateIndex ? null : ApproximateIndex ?? settings.ApproximateIndex,
    };
}

/// <summary>A second name of a collection.</summary>
internal sealed record CollectionAlias(string Alias, string Collection);

/// <summary>Errors of aliases and settings that all stores report in the same words.</summary>
internal static class AliasFaults
{
    public static Fault NotFound(string alias) =>
        new Fault(FaultKind.NotFound, Reasons.AliasNotFound, $"Alias '{alias}' does not exist.", "delete")
            .With(FaultKeys.Alias, alias);

    /// <summary>A collection cannot be created with the name of an alias.</summary>
    public static Fault Exists(string alias) =>
        new Fault(
            FaultKind.AlreadyExists,
            Reasons.AliasExists,
            $"'{alias}' is an alias. Use another name for the collection, or delete the alias (UpdateAliases).",
            "collection")
            .With(FaultKeys.Alias, alias);

    /// <summary>An alias cannot have the name of a collection.</summary>
    public static Fault IsCollection(string alias) =>
        new Fault(
            FaultKind.AlreadyExists,
            Reasons.CollectionExists,
            $"'{alias}' is a collection. Use another name for the alias.",
            "set")
            .With(FaultKeys.Alias, alias)
            .With(FaultKeys.Collection, alias);

    public static Fault ApproximateIndexUnsupported() => Fault.Invalid(
        Reasons.FieldInvalid,
        "approximate_index",
        "approximate_index must not be set: it is an index of the embedded store, and Qdrant always has its own. Configure that with "
        + "Store:Qdrant:NewCollections.");
}
