using System.ComponentModel.DataAnnotations;

namespace Embeddings.Core;

/// <summary>Options of the embedding core.</summary>
public sealed record EmbeddingCoreOptions
{
    /// <summary>Models to serve, and their time in memory.</summary>
    public ModelOptions Models { get; init; } = new();

    /// <summary>Execution of models.</summary>
    public InferenceOptions Inference { get; init; } = new();

    /// <summary>Queues and batches.</summary>
    public BatchingOptions Batching { get; init; } = new();

    /// <summary>Limits on images.</summary>
    public ImagingOptions Imaging { get; init; } = new();

    /// <summary>Memory of the process.</summary>
    public MemoryOptions Memory { get; init; } = new();

    /// <summary>Throws <see cref="ValidationException"/> if an option is out of range.</summary>
    internal void Validate()
    {
        foreach (var part in (object[])[Models, Inference, Batching, Imaging, Memory])
        {
            Validator.ValidateObject(part, new ValidationContext(part), validateAllProperties: true);
        }
    }
}

/// <summary>Models to serve. Section <c>Models</c>.</summary>
public sealed record ModelOptions
{
    /// <summary>
    /// Serves the default models (the folder <c>models</c> of the program). The start fails if they are missing.
    /// </summary>
    /// <value>Default: true.</value>
    public bool UseDefaults { get; init; } = true;

    /// <summary>
    /// Serves the optional models as well (the folder <c>models/optional</c> of the program): liveness and pose. The start
    /// fails if they are missing.
    /// </summary>
    /// <value>Default: false.</value>
    public bool UseOptional { get; init; }

    /// <summary>
    /// More folders, in which every manifest (a <c>.json</c> with an <c>.onnx</c> of the same name) is a model.
    /// </summary>
    /// <value>Default: none.</value>
    public IReadOnlyList<string> Directories { get; init; } = [];

    /// <summary>
    /// The image model for requests that name none; empty for the first image model by name, default models last.
    /// </summary>
    /// <value>Default: empty.</value>
    public string DefaultImage { get; init; } = "";

    /// <summary>
    /// The face model for requests that name none; empty for the first face model by name, default models last.
    /// </summary>
    /// <value>Default: empty.</value>
    public string DefaultFace { get; init; } = "";

    /// <summary>
    /// The detector for requests that name none; empty for the first detector by name, default models last.
    /// </summary>
    /// <value>Default: empty.</value>
    public string DefaultDetector { get; init; } = "";

    /// <summary>
    /// The landmark model for requests that name none; empty for the first landmark model by name, default models last.
    /// </summary>
    /// <value>Default: empty.</value>
    public string DefaultLandmarks { get; init; } = "";

    /// <summary>
    /// The liveness model; empty for the first liveness model by name, optional models last.
    /// </summary>
    /// <value>Default: empty.</value>
    public string DefaultLiveness { get; init; } = "";

    /// <summary>The pose model; empty for the first pose model by name, optional models last.</summary>
    /// <value>Default: empty.</value>
    public string DefaultPose { get; init; } = "";

    /// <summary>
    /// Loads models with the first request for them instead of at start; default models are always loaded at start. Saves
    /// memory if there are many models, but a model that cannot be loaded is found only with that request.
    /// </summary>
    /// <value>Default: false.</value>
    public bool Lazy { get; init; }

    /// <summary>Time after which an idle model is unloaded; the next request loads it again. 0 for never.</summary>
    /// <value>Default: 0. From 0 to 30 days.</value>
    [Range(typeof(TimeSpan), "00:00:00", "30.00:00:00")]
    public TimeSpan IdleUnload { get; init; } = TimeSpan.Zero;

    /// <summary>
    /// Limit on the bytes of the files of all models in memory, each counted once for every copy of its weights. The model
    /// idle for longest is evicted to make room; if all are in use, requests for another fail with UNAVAILABLE. 0 for no
    /// limit.
    /// </summary>
    /// <value>Default: 0. From 0 to 1,099,511,627,776.</value>
    [Range(0, 1L << 40)]
    public long MaxLoadedBytes { get; init; }

    /// <summary>
    /// Reloads a model if its files change, and serves a new one in <see cref="Directories"/>. Calls in flight finish on the old
    /// one; if the new one cannot be loaded, the old one stays.
    /// </summary>
    /// <value>Default: true.</value>
    public bool Reload { get; init; } = true;

    /// <summary>
    /// Keeps what is found out about each model on this machine for the next start: its optimized graph, the results of its test
    /// runs, and its best batch size.
    /// </summary>
    /// <value>Default: true.</value>
    public bool UseCache { get; init; } = true;

    /// <summary>
    /// Folder for these files, which must be as well protected as the models: its files can change their
    /// vectors. Empty for the folder <c>.cache</c> in the folder of each model. If it cannot be written, nothing is kept.
    /// </summary>
    /// <value>Default: empty.</value>
    public string CacheFolder { get; init; } = "";

    /// <summary>Interval at which files and idle times are checked.</summary>
    /// <value>Default: 5 seconds. From 10 milliseconds to 1 hour.</value>
    [Range(typeof(TimeSpan), "00:00:00.010", "01:00:00")]
    public TimeSpan CheckEvery { get; init; } = TimeSpan.FromSeconds(5);
}

/// <summary>
/// Execution of models. Section <c>Inference</c>. A session does one run at a time, with its own threads and its own copy of the
/// weights; sessions times threads should be about the number of processors, since more would only take turns. The exception
/// is the second session that a model gets on 2 to 8 processors if all is automatic: it does as many concurrent runs as there
/// are processors, of one thread each, while that many batches are full.
/// </summary>
public sealed record InferenceOptions
{
    /// <summary>
    /// Concurrent runs of each model; 0 for automatic. Automatic means, with 2 to 8 processors, one run with all threads and,
    /// under load, one on each processor, at the price of a second copy of the weights (not if <see cref="IntraOpThreads"/>
    /// or <see cref="InterOpThreads"/> is set, on providers other than cpu, or for weights above 256 MiB); otherwise one for
    /// every 8 processors, or, for a model that only runs one item at a time, one for each processor up to 8.
    /// </summary>
    /// <value>Default: 0. From 0 to 64.</value>
    [Range(0, 64)]
    public int Sessions { get; init; }

    /// <summary>
    /// Threads that share one operator of a run; 0 for automatic: the processors divided by the sessions, at least 1, and 1
    /// in the runs that automatic <see cref="Sessions"/> adds under load.
    /// </summary>
    /// <value>Default: 0. From 0 to 256.</value>
    [Range(0, 256)]
    public int IntraOpThreads { get; init; }

    /// <summary>
    /// Concurrent operators of one run. More than 1 helps only graphs with wide branches, and multiplies the threads.
    /// </summary>
    /// <value>Default: 1. From 1 to 64.</value>
    [Range(1, 64)]
    public int InterOpThreads { get; init; } = 1;

    /// <summary>
    /// Items of the batch that a model is probed with at load, against one of them alone; 0 for the model's largest batch. A
    /// few items show whether the items of a batch change each other's vectors; more make the start slower, and show what
    /// only happens in larger batches.
    /// </summary>
    /// <value>Default: 4. From 0 to 1,024.</value>
    [Range(0, 1_024)]
    public int ProbeBatch { get; init; } = 4;

    /// <summary>
    /// Limit on the time of a model's test runs at load. A model that exceeds it cannot be used: its graph may never end.
    /// Raise it for providers that compile a model in its first run.
    /// </summary>
    /// <value>Default: 1 minute. From 100 milliseconds to 1 hour.</value>
    [Range(typeof(TimeSpan), "00:00:00.100", "01:00:00")]
    public TimeSpan ProbeTimeout { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>
    /// Keeps a session's threads awake for 50 microseconds after each operator, in case another follows: a fifth less time
    /// for small models. Turn it off if images are decoded for a large model on few processors.
    /// </summary>
    /// <value>Default: true.</value>
    public bool Spinning { get; init; } = true;

    /// <summary>
    /// Execution provider: <c>cpu</c>, <c>cuda</c>, <c>tensorrt</c>, <c>dml</c>, <c>coreml</c> or <c>openvino</c>.
    /// </summary>
    /// <value>Default: cpu.</value>
    [EnumDataType(typeof(ExecutionProvider))]
    public ExecutionProvider Provider { get; init; } = ExecutionProvider.Cpu;

    /// <summary>Index of the provider's device, for machines with several.</summary>
    /// <value>Default: 0. From 0 to 64.</value>
    [Range(0, 64)]
    public int Device { get; init; }

    /// <summary>
    /// Runs models on the processor if the provider is not available; otherwise the start fails. The log and <c>GetModel</c>
    /// report which provider is in use.
    /// </summary>
    /// <value>Default: false.</value>
    public bool AllowCpuFallback { get; init; }

    /// <summary>Limit on the device memory of a session's arena, bytes, with cuda and tensorrt; 0 for no limit.</summary>
    /// <value>Default: 0. From 0 to 1,099,511,627,776.</value>
    [Range(0, 1L << 40)]
    public long ArenaBytes { get; init; }

    /// <summary>
    /// Fills batches up to 1, 2, 4, 8 and so on: a device keeps memory and plans for every size it has seen. Not set: on all
    /// providers but the processor.
    /// </summary>
    /// <value>Default: not set.</value>
    public bool? BatchBuckets { get; init; }
}

/// <summary>Execution providers of ONNX Runtime.</summary>
public enum ExecutionProvider
{
    /// <summary>The processor; every build of ONNX Runtime has it.</summary>
    Cpu,

    /// <summary>NVIDIA, through CUDA; needs a build with <c>-p:OnnxRuntimeFlavor=Gpu</c>.</summary>
    Cuda,

    /// <summary>
    /// NVIDIA, through TensorRT; needs the same build. Compiles each model for minutes at its first load.
    /// </summary>
    TensorRt,

    /// <summary>Any device with DirectX 12, on Windows; needs <c>-p:OnnxRuntimeFlavor=DirectML</c>.</summary>
    Dml,

    /// <summary>Apple Core ML.</summary>
    CoreMl,

    /// <summary>Intel OpenVINO; needs a build of ONNX Runtime that has it.</summary>
    OpenVino,
}

/// <summary>Queues and batches. Section <c>Batching</c>; each model has its own queue.</summary>
public sealed record BatchingOptions
{
    /// <summary>Limit on the items of one model in flight, from admission until their vector is ready.</summary>
    /// <value>Default: 512. From 1 to 1,000,000.</value>
    [Range(1, 1_000_000)]
    public int QueueLimit { get; init; } = 512;

    /// <summary>Limit on the bytes of the images of those items; one item alone is admitted whatever its size.</summary>
    /// <value>Default: 268,435,456. From 1 to 1,099,511,627,776.</value>
    [Range(1, 1L << 40)]
    public long QueueBytes { get; init; } = 256L << 20;

    /// <summary>
    /// Batching delay: how long a batch that is not full waits for more items once a session is free. With 0 it never waits:
    /// a batch forms while the one before it runs. A millisecond or two pays on a GPU, where a run costs the same for one
    /// item as for many.
    /// </summary>
    /// <value>Default: 0. From 0 to 1 second.</value>
    [Range(typeof(TimeSpan), "00:00:00", "00:00:01")]
    public TimeSpan MaxBatchDelay { get; init; } = TimeSpan.Zero;
}

/// <summary>Limits on images. Section <c>Imaging</c>.</summary>
public sealed record ImagingOptions
{
    /// <summary>Limit on the size of an encoded image, bytes.</summary>
    /// <value>Default: 16,777,216. From 1 to 1,073,741,824.</value>
    [Range(1, 1 << 30)]
    public int MaxEncodedBytes { get; init; } = 16 << 20;

    /// <summary>Limit on the longest side, pixels.</summary>
    /// <value>Default: 16,384. From 1 to 65,535.</value>
    [Range(1, 65_535)]
    public int MaxSide { get; init; } = 16_384;

    /// <summary>Limit on the number of pixels, width times height.</summary>
    /// <value>Default: 100,000,000. From 1 to 1,000,000,000.</value>
    [Range(1, 1_000_000_000)]
    public long MaxPixels { get; init; } = 100_000_000;

    /// <summary>
    /// Limit on the number of pixels of an image that cannot be decoded row by row and is in memory as a whole: WebP, AVIF, GIF,
    /// TIFF, interlaced PNG and progressive JPEG.
    /// </summary>
    /// <value>Default: 50,000,000. From 1 to 1,000,000,000.</value>
    [Range(1, 1_000_000_000)]
    public long MaxBufferedPixels { get; init; } = 50_000_000;

    /// <summary>Images decoded concurrently; 0 for one per processor.</summary>
    /// <value>Default: 0. From 0 to 1,024.</value>
    [Range(0, 1024)]
    public int MaxConcurrentDecodes { get; init; }
}

/// <summary>Memory of the process. Section <c>Memory</c>.</summary>
public sealed record MemoryOptions
{
    /// <summary>
    /// Memory that the process may use, bytes. Work that does not fit waits or is refused, so that the system never ends the
    /// process. 0 for the limit of the container, or the memory of the machine.
    /// </summary>
    /// <value>Default: 0. From 0 to 17,592,186,044,416.</value>
    [Range(0, 1L << 44)]
    public long LimitBytes { get; init; }
}
