using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant;

/// <summary>The limits of a collection in Qdrant's strict mode; the defaults are those without strict mode.</summary>
internal sealed record CollectionLimits
{
    /// <summary>Maximum number of points that one search or page returns.</summary>
    public int MaxQueryLimit { get; private init; } = int.MaxValue;

    /// <summary>Maximum number of searches in a call.</summary>
    public int MaxQueries { get; private init; } = int.MaxValue;

    /// <summary>Maximum number of points in an upsert.</summary>
    public int MaxUpsertPoints { get; private init; } = int.MaxValue;

    /// <summary>Maximum size of the candidate list of a search.</summary>
    public int MaxHnswEf { get; private init; } = int.MaxValue;

    /// <summary>True if exact searches and counts are permitted.</summary>
    public bool AllowsExact { get; private init; } = true;

    /// <summary>True if each field in the filter of a read or deletion must have an index.</summary>
    public bool NeedsIndexes { get; private init; }

    public static CollectionLimits Of(StrictModeConfig? strict) => strict is not { Enabled: true } ? new() : new()
    {
        MaxQueryLimit = Limit(strict.HasMaxQueryLimit, strict.MaxQueryLimit),
        MaxQueries = Limit(strict.HasSearchMaxBatchsize, strict.SearchMaxBatchsize),
        MaxUpsertPoints = Limit(strict.HasUpsertMaxBatchsize, strict.UpsertMaxBatchsize),
        MaxHnswEf = Limit(strict.HasSearchMaxHnswEf, strict.SearchMaxHnswEf),
        AllowsExact = !strict.HasSearchAllowExact || strict.SearchAllowExact,
        NeedsIndexes = strict is { HasUnindexedFilteringRetrieve: true, UnindexedFilteringRetrieve: false }
            or { HasUnindexedFilteringUpdate: true, UnindexedFilteringUpdate: false },
    };

    private static int Limit(bool isSet, ulong limit) => isSet ? (int)Math.Clamp(limit, 1, int.MaxValue) : int.MaxValue;
}
