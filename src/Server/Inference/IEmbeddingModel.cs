namespace Embeddings.Server.Inference;

/// <summary>A model that turns tensors into vectors. Thread-safe but for <see cref="Run"/>, which takes a session of the caller's own.</summary>
internal interface IEmbeddingModel : IDisposable
{
    /// <summary>What its manifest tells.</summary>
    ModelManifest Manifest { get; }

    /// <summary>SHA-256 over the file's SHA-256 and the preprocessing, 64 hex digits: vectors of equal fingerprints can be compared.</summary>
    string Fingerprint { get; }

    /// <summary>The largest batch that can be trusted, 1 to the manifest's: 1 where a batch's neighbours change an item's vector.</summary>
    int MaxBatch { get; }

    /// <summary>How many runs may go on at once, at least 1.</summary>
    int Sessions { get; }

    /// <summary>Where it runs, for example <c>cpu</c>.</summary>
    string ExecutionProvider { get; }

    /// <summary>What an operator should know of how it runs here.</summary>
    IReadOnlyList<string> Notices { get; }

    /// <summary>A buffer for one batch, which the model can read without copying it.</summary>
    BatchTensor CreateTensor();

    /// <summary>
    /// Runs the first <paramref name="count"/> items of the tensor through session <paramref name="session"/> (0 to <see cref="Sessions"/> - 1; one
    /// caller at a time each) and leaves their raw vectors in <see cref="BatchTensor.Vector"/>. Throws what the runtime throws.
    /// </summary>
    void Run(int session, BatchTensor tensor, int first, int count);

    /// <summary>
    /// Brings one raw vector to what callers get. A <see cref="Diagnostics.Fault"/> where it is not finite or has no length.
    /// </summary>
    void Finish(Span<float> vector);
}
