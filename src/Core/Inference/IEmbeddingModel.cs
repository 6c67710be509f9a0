using Embeddings.Core.Models;
using Embeddings.Primitives;

namespace Embeddings.Core.Inference;

/// <summary>A model that turns tensors into vectors. Thread-safe but for <see cref="Run"/>, which takes a slot of the caller's own.</summary>
internal interface IEmbeddingModel : IDisposable
{
    /// <summary>What its manifest tells.</summary>
    ModelManifest Manifest { get; }

    /// <summary>SHA-256 over the file's SHA-256 and the preprocessing, 64 hex digits: vectors of equal fingerprints can be compared.</summary>
    string Fingerprint { get; }

    /// <summary>The largest batch that can be trusted, 1 to the manifest's: 1 where a batch's neighbours change an item's vector.</summary>
    int MaxBatch { get; }

    /// <summary>How many wide runs, those with all threads of a session, may go on at once; at least 1.</summary>
    int Sessions { get; }

    /// <summary>
    /// How many narrow runs, those of one thread, may go on at once; 0 for none. More than 0 only where <see cref="Sessions"/> is 1. Together they do more
    /// in a second than one wide run after another; one of them alone takes longer.
    /// </summary>
    int NarrowRuns { get; }

    /// <summary>Where it runs, for example <c>cpu</c>.</summary>
    string ExecutionProvider { get; }

    /// <summary>What an operator should know of how it runs here.</summary>
    IReadOnlyList<string> Notices { get; }

    /// <summary>A buffer for one batch, which the model can read without copying it.</summary>
    BatchTensor CreateTensor();

    /// <summary>
    /// Runs <paramref name="count"/> items of the tensor, from <paramref name="first"/> on, in slot <paramref name="slot"/> and leaves their raw vectors in
    /// <see cref="BatchTensor.Vector"/>. Slots 0 to <see cref="Sessions"/> - 1 are wide, the <see cref="NarrowRuns"/> after them are narrow; one caller at a
    /// time each. Throws what the runtime throws.
    /// </summary>
    void Run(int slot, BatchTensor tensor, int first, int count);

    /// <summary>
    /// Brings one raw vector to what callers get. A <see cref="Fault"/> where it is not finite or has no length.
    /// </summary>
    void Finish(Span<float> vector);
}
