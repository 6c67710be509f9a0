using System.ComponentModel.DataAnnotations;

namespace Embeddings.Core.Inference;

/// <summary>
/// How models run (section <c>Inference</c>). A session is one run at a time with its own threads and its own copy of the weights; sessions times
/// threads should be about the number of processors, since more only take turns. The exception is the second session that a model gets on 2 to 8
/// processors where all is automatic: it has as many runs at once as there are processors, of one thread each, for when that many batches are full.
/// </summary>
internal sealed record InferenceOptions
{
    /// <summary>Name of the configuration section.</summary>
    public const string Section = "Inference";

    /// <summary>
    /// Runs that go on at once for each model, 1 to 64; 0 for automatic: with 2 to 8 processors one with all their threads, and under load one on each
    /// processor, at the price of a second copy of the weights (not with <see cref="IntraOpThreads"/> or <see cref="InterOpThreads"/> set, on other
    /// providers than cpu, or for weights above 256 MiB); else one for every 8 processors, or, for a model that runs one item at a time only, one for each
    /// processor up to 8.
    /// </summary>
    /// <value>Default 0.</value>
    [Range(0, 64)]
    public int Sessions { get; init; }

    /// <summary>
    /// Threads that share one operator of a run, 1 to 256; 0 for automatic: the processors divided by the sessions, at least 1, and 1 in the runs that
    /// <see cref="Sessions"/> has for load.
    /// </summary>
    /// <value>Default 0.</value>
    [Range(0, 256)]
    public int IntraOpThreads { get; init; }

    /// <summary>
    /// Operators of one run that may go on at once, 1 to 64. More than 1 helps graphs with wide branches only, and multiplies the threads.
    /// </summary>
    /// <value>Default 1.</value>
    [Range(1, 64)]
    public int InterOpThreads { get; init; } = 1;

    /// <summary>
    /// Items of the batch that a model is tried with at load, against one of them alone, 1 to 1,024; 0 for the largest that it would run. A few show
    /// whether neighbours change each other's vectors; more make the start slower, and show what only happens in larger batches.
    /// </summary>
    /// <value>Default 4.</value>
    [Range(0, 1_024)]
    public int ProbeBatch { get; init; } = 4;

    /// <summary>
    /// Whether a session's threads stay awake for 50 microseconds after each operator, in case another follows: a fifth less time for small models. Where
    /// pictures are decoded beside a large model on few processors, these are better left to the decoding.
    /// </summary>
    /// <value>Default true.</value>
    public bool Spinning { get; init; } = true;

    /// <summary>What runs the operators: <c>cpu</c>, <c>cuda</c>, <c>tensorrt</c>, <c>dml</c>, <c>coreml</c> or <c>openvino</c>.</summary>
    /// <value>Default cpu.</value>
    [EnumDataType(typeof(ExecutionProvider))]
    public ExecutionProvider Provider { get; init; } = ExecutionProvider.Cpu;

    /// <summary>Which device of the provider, for machines with several, 0 to 64.</summary>
    /// <value>Default 0.</value>
    [Range(0, 64)]
    public int Device { get; init; }

    /// <summary>
    /// Whether a model runs on the processor where the provider cannot be had; otherwise the start fails. The log and <c>GetModel</c> tell what really runs.
    /// </summary>
    /// <value>Default false.</value>
    public bool AllowCpuFallback { get; init; }

    /// <summary>Most memory of the device that a session's arena may take, bytes, with cuda and tensorrt; 0 for all there is.</summary>
    /// <value>Default 0. From 0 to 1,099,511,627,776.</value>
    [Range(0, 1L << 40)]
    public long ArenaBytes { get; init; }

    /// <summary>
    /// Whether batches are filled up to 1, 2, 4, 8 and so on: a device keeps memory and plans for every size that it has seen. Not set: on all but the
    /// processor.
    /// </summary>
    /// <value>Default not set.</value>
    public bool? BatchBuckets { get; init; }
}
