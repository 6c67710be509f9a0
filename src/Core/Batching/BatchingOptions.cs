using System.ComponentModel.DataAnnotations;

namespace Embeddings.Core.Batching;

/// <summary>How items wait and travel together. Section <c>Batching</c>; each model has a queue of its own.</summary>
internal sealed record BatchingOptions
{
    /// <summary>Items of one model that may be on their way, from admission until their vector is there.</summary>
    /// <value>Default: 512. From 1 to 1,000,000.</value>
    [Range(1, 1_000_000)]
    public int QueueLimit { get; init; } = 512;

    /// <summary>Bytes that the pictures of those items may take; one item is let in however large it is.</summary>
    /// <value>Default: 268,435,456. From 1 to 1,099,511,627,776.</value>
    [Range(1, 1L << 40)]
    public long QueueBytes { get; init; } = 256L << 20;

    /// <summary>
    /// How long a batch that is not full waits for company once a session is free. Zero never waits: a batch forms while the one before it runs.
    /// Worth a millisecond or two on a GPU, where a run costs the same for one item as for many.
    /// </summary>
    /// <value>Default: 0. From 0 to 1 second.</value>
    [Range(typeof(TimeSpan), "00:00:00", "00:00:01")]
    public TimeSpan MaxBatchDelay { get; init; } = TimeSpan.Zero;
}
