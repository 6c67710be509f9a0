using System.ComponentModel.DataAnnotations;

namespace Embeddings.Storage.Sqlite;

/// <summary>Options of the embedded store. Section <c>Store:Embedded</c>.</summary>
internal sealed record EmbeddedStoreOptions
{
    /// <summary>
    /// Directory of the store's files, created if necessary; used by one server at a time. Relative to the working
    /// directory.
    /// </summary>
    /// <value>Default: <c>data</c>.</value>
    [Required(AllowEmptyStrings = false)]
    public string Directory { get; init; } = "data";

    /// <summary>
    /// Maximum number of points in all collections. Their vectors are kept in memory as bytes: a point takes one byte per dimension
    /// and about 20 more, 5 GiB for 10,000,000 points with 512 dimensions.
    /// </summary>
    /// <value>Default: 10,000,000. From 1 to 100,000,000.</value>
    [Range(1, 100_000_000)]
    public int MaxPoints { get; init; } = 10_000_000;

    /// <summary>
    /// Number of points from which the index of a collection is kept in a file, <c>embeddings.index.*</c>, so that a start
    /// need not read all vectors. It takes as much space as the index takes memory.
    /// </summary>
    /// <value>Default: 100,000. From 1 to 100,000,000.</value>
    [Range(1, 100_000_000)]
    public int IndexFilePoints { get; init; } = 100_000;

    /// <summary>Maximum number of collections. An existing store with more of them starts, but creates no more.</summary>
    /// <value>Default: 1,000. From 1 to 100,000.</value>
    [Range(1, 100_000)]
    public int MaxCollections { get; init; } = 1000;

    /// <summary>
    /// Maximum dimension of a new collection. Existing collections with a larger dimension remain usable.
    /// </summary>
    /// <value>Default: 16,384. From 1 to 1,048,576.</value>
    [Range(1, 1 << 20)]
    public int MaxDimension { get; init; } = CollectionSpec.DefaultMaxDimension;

    /// <summary>
    /// Disk space, in bytes, that is held in a file and released for deletions when the disk is full; 0 for none.
    /// </summary>
    /// <value>Default: 16,777,216. From 0 to 1,073,741,824.</value>
    [Range(0, 1 << 30)]
    public int ReserveBytes { get; init; } = 16 << 20;

    /// <summary>
    /// Maximum time until what was deleted or replaced is gone from all files of the store, seconds. Reads that run longer and
    /// very large deletions delay it. A shorter time costs more writes to the disk while points are deleted or replaced.
    /// </summary>
    /// <value>Default: 60. From 1 to 86,400.</value>
    [Range(1, 86_400)]
    public int EraseSeconds { get; init; } = 60;

    /// <summary>Maximum number of threads for all searches together; a single search uses all of them.</summary>
    /// <value>Default: 0, the number of processors. From 0 to 1,024.</value>
    [Range(0, 1024)]
    public int SearchThreads { get; init; }

    /// <summary>
    /// Number of threads that build approximate indexes while no points are written. While points are written, one thread takes a twentieth
    /// of the processors.
    /// </summary>
    /// <value>Default: 0, half of the processors. From 0 to 1,024.</value>
    [Range(0, 1024)]
    public int IndexThreads { get; init; }

    /// <summary>
    /// Maximum number of concurrent listings, counts and filters that read the file, and half as many lookups of points;
    /// others wait.
    /// </summary>
    /// <value>Default: 0, twice the number of processors. From 0 to 1,024.</value>
    [Range(0, 1024)]
    public int MaxConcurrentReads { get; init; }

    /// <summary>
    /// Number of points at which a group of writes is closed; the rest goes into the next transaction. A request is
    /// never split.
    /// </summary>
    /// <value>Default: 2,048. From 1 to 100,000.</value>
    [Range(1, 100_000)]
    public int MaxGroupPoints { get; init; } = 2048;

    /// <summary>Maximum number of queued writes; further callers wait (backpressure).</summary>
    /// <value>Default: 4,096. From 1 to 1,000,000.</value>
    [Range(1, 1_000_000)]
    public int WriteQueueLength { get; init; } = 4096;
}
