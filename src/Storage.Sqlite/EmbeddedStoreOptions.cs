using System.ComponentModel.DataAnnotations;

namespace Embeddings.Storage.Sqlite;

/// <summary>The embedded store. Section <c>Store:Embedded</c>.</summary>
internal sealed record EmbeddedStoreOptions
{
    /// <summary>Directory of its files, made if missing; one server owns it at a time. Relative ones start at the working directory.</summary>
    /// <value>Default: <c>data</c>.</value>
    [Required(AllowEmptyStrings = false)]
    public string Directory { get; init; } = "data";

    /// <summary>The most points, over all collections. All vectors lie in memory: 512 numbers are 2 KiB, so 2,000,000 such points take 4 GiB.</summary>
    /// <value>Default: 2,000,000. From 1 to 100,000,000.</value>
    [Range(1, 100_000_000)]
    public int MaxPoints { get; init; } = 2_000_000;

    /// <summary>How many threads search at once, over all searches; one search alone takes all of them.</summary>
    /// <value>Default: 0, as many as there are processors. From 0 to 1,024.</value>
    [Range(0, 1024)]
    public int SearchThreads { get; init; }

    /// <summary>How many lookups, listings, counts and filters read the file at once; others wait.</summary>
    /// <value>Default: 0, twice as many as there are processors. From 0 to 1,024.</value>
    [Range(0, 1024)]
    public int MaxConcurrentReads { get; init; }

    /// <summary>Points at which a group of writes is closed: what waits beyond them goes into the next transaction. One request is never split.</summary>
    /// <value>Default: 2,048. From 1 to 100,000.</value>
    [Range(1, 100_000)]
    public int MaxGroupPoints { get; init; } = 2048;

    /// <summary>How many writes may wait; callers beyond them wait to get in.</summary>
    /// <value>Default: 4,096. From 1 to 1,000,000.</value>
    [Range(1, 1_000_000)]
    public int WriteQueueLength { get; init; } = 4096;
}
