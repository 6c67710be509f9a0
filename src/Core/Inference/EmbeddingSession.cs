using Embeddings.Core.Models;
using Embeddings.Primitives;
using Embeddings.Primitives.Numerics;
using Microsoft.ML.OnnxRuntime;

namespace Embeddings.Core.Inference;

/// <summary>
/// A model in memory that turns tensors into vectors, or into what its kind finds in faces and photos. Thread-safe except for <see cref="Run"/>, which needs a slot of the
/// caller's own. An interface for the tests and benchmarks of the queue.
/// </summary>
internal interface IEmbeddingSession : IDisposable
{
    /// <summary>The model as its manifest describes it.</summary>
    ModelInfo Model { get; }

    /// <summary>
    /// The largest usable batch, 1 to the manifest's: 1 if the items of a batch change each other's vectors.
    /// </summary>
    int MaxBatch { get; }

    /// <summary>Number of concurrent multi-threaded runs, those with all threads of a session; at least 1.</summary>
    int MultiThreadedRuns { get; }

    /// <summary>
    /// Number of concurrent single-threaded runs; 0 for none. More than 0 only if <see cref="MultiThreadedRuns"/> is 1.
    /// Together they have a higher throughput than one multi-threaded run after another; one of them alone takes longer.
    /// </summary>
    int SingleThreadedRuns { get; }

    /// <summary>The execution provider in use, for example <c>cpu</c>.</summary>
    string ExecutionProvider { get; }

    /// <summary>Notices for the operator, for example that the model runs one item at a time.</summary>
    IReadOnlyList<string> Notices { get; }

    /// <summary>Creates a buffer for one batch, which the model reads without copying it.</summary>
    BatchTensor CreateTensor();

    /// <summary>
    /// Runs <paramref name="count"/> items of the tensor, from <paramref name="first"/> on, and leaves their results in
    /// <see cref="BatchTensor.TakeResult"/>. Slots 0 to <see cref="MultiThreadedRuns"/> - 1 are multi-threaded, the
    /// <see cref="SingleThreadedRuns"/> after them single-threaded; each takes one caller at a time. Throws what the runtime
    /// throws.
    /// </summary>
    void Run(int slot, BatchTensor tensor, int first, int count);

    /// <summary>
    /// Runs the first <paramref name="count"/> items of the tensor for the time that it takes: there are no results. An
    /// <see cref="OperationCanceledException"/> if it was cancelled.
    /// </summary>
    /// <param name="slot">A slot as in <see cref="Run"/>.</param>
    /// <param name="tensor">The items.</param>
    /// <param name="count">Their number.</param>
    /// <param name="releaseMemory">True to give back the memory that earlier runs of the session needed and this one does not.</param>
    /// <param name="cancellationToken">Ends the run between two operators.</param>
    void Try(int slot, BatchTensor tensor, int count, bool releaseMemory, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Run(slot, tensor, 0, count);
    }

    /// <summary>
    /// Turns a raw vector into the result: checks it, and normalizes it if the model's vectors have unit length. A
    /// <see cref="Fault"/> if it is not finite or all zeros. The result of a model that does not embed is only checked: a
    /// <see cref="Fault"/> if an output was not finite.
    /// </summary>
    void Finish(Span<float> vector);
}

/// <summary>A model in ONNX Runtime.</summary>
internal sealed class EmbeddingSession : IEmbeddingSession
{
    private readonly RuntimeSessions _sessions;
    private readonly TensorLayout _layout;
    private readonly IReadOnlyList<string> _notices;
    private readonly string[] _inputNames;
    private readonly string[] _outputNames;
    private readonly OutputDecoder? _decoder;

    /// <param name="manifest">The manifest.</param>
    /// <param name="signature">Input and outputs of the graph.</param>
    /// <param name="probe">What test runs have shown.</param>
    /// <param name="notices">Notices for the operator.</param>
    /// <param name="sessions">Sessions of ONNX Runtime; disposed with this instance.</param>
    public EmbeddingSession(
        ModelManifest manifest,
        ModelSignature signature,
        ProbeResult probe,
        IReadOnlyList<string> notices,
        RuntimeSessions sessions)
    {
        Model = new(manifest);
        MaxBatch = probe.MaxBatch;
        _notices = [.. probe.Notices, .. notices];
        _sessions = sessions;
        _layout = probe.Layout;
        _decoder = probe.Decoder;
        _inputNames = [signature.Input];
        _outputNames = [.. signature.Outputs];
    }

    /// <inheritdoc/>
    public ModelInfo Model { get; }

    public ModelManifest Manifest => Model.Manifest;

    /// <summary>Cache entry of the model, or null if nothing is kept.</summary>
    public CacheEntry? Cache { get; init; }

    /// <inheritdoc/>
    public int MaxBatch { get; }

    /// <inheritdoc/>
    public int MultiThreadedRuns => _sessions.Plan.Sessions;

    /// <inheritdoc/>
    public int SingleThreadedRuns => _sessions.Plan.SingleThreadedRuns;

    /// <inheritdoc/>
    public string ExecutionProvider => _sessions.Provider;

    /// <inheritdoc/>
    public IReadOnlyList<string> Notices => _sessions.Failure is { } failure ? [.. _notices, failure] : _notices;

    /// <inheritdoc/>
    public BatchTensor CreateTensor() => new(_layout, MaxBatch);

    /// <inheritdoc/>
    public void Run(int slot, BatchTensor tensor, int first, int count)
    {
        if (!ReferenceEquals(tensor.Layout, _layout))
        {
            throw new ArgumentException("The tensor must be one of this model.", nameof(tensor));
        }
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, MaxBatch);
        _sessions.Use(slot, (Model: this, tensor, first, count), static (session, options, at) =>
            at.tensor.Use(at.first, at.count, (at, session, options), static (call, input, output) =>
                call.at.Model.Run(call.session, call.options, call.at.tensor, call.at.first, call.at.count, input, output)));
    }

    /// <inheritdoc/>
    public void Try(int slot, BatchTensor tensor, int count, bool releaseMemory, CancellationToken cancellationToken)
    {
        using var options = new RunOptions { LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL };
        if (releaseMemory)
        {
            options.AddRunConfigEntry("memory.enable_memory_arena_shrinkage", "cpu:0");
        }
        try
        {
            using var registration = cancellationToken.UnsafeRegister(
                static state => ((RunOptions)state!).Terminate = true, options);
            _sessions.Use(slot, (Model: this, tensor, count, options), static (session, _, at) =>
                at.tensor.Use(0, at.count, (at, session), static (call, input, _) =>
                {
                    var model = call.at.Model;
                    call.session.Run(call.at.options, model._inputNames, [input], model._outputNames).Dispose();
                }));
        }
        catch (OnnxRuntimeException) when (cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException(cancellationToken);
        }
    }

    /// <inheritdoc/>
    public void Finish(Span<float> vector)
    {
        // Vectors of faces always have L2 norm 1, within 1e-6, so that cosine is a dot product.
        var isUsable = Manifest.UnitLength
            ? VectorMath.TryNormalize(vector)
            : VectorMath.IsFinite(vector) && (_decoder is not null || !VectorMath.IsZero(vector));
        if (isUsable)
        {
            return;
        }
        var fault = VectorMath.IsFinite(vector)
            ? Fault.Invalid(
                Reasons.VectorZero, "image", $"Model {Model.Name} finds nothing in this image: its vector is all zeros.")
            : Fault.Invalid(
                Reasons.VectorNotFinite, "image", $"Model {Model.Name} produces NaN or infinity for this image; check its pixels.");
        throw fault.With(FaultKeys.Model, Model.Name);
    }

    /// <inheritdoc/>
    public void Dispose() => _sessions.Dispose();

    private void Run(
        InferenceSession session, RunOptions options, BatchTensor tensor, int first, int count, OrtValue input, OrtValue? output)
    {
        if (output is not null)
        {
            session.Run(options, _inputNames, [input], _outputNames, [output]);
            return;
        }
        using var results = session.Run(options, _inputNames, [input], _outputNames);
        if (_decoder is not null)
        {
            Decode(_decoder, tensor, first, count, results);
            return;
        }
        var expected = (long)_layout.RowsOf(count) * _layout.Dimension;
        var values = results[0].GetTensorTypeAndShape().ElementCount;
        if (values != expected)
        {
            throw new InvalidOperationException(
                $"Model {Model.Name} must produce {expected} values for {count} items; got {values}.");
        }
        tensor.CopyOutput(first, count, results[0]);
    }

    private void Decode(
        OutputDecoder decoder, BatchTensor tensor, int first, int count, IDisposableReadOnlyCollection<OrtValue> results)
    {
        using var outputs = new RunOutputs(results);
        var rows = _layout.RowsOf(count);
        for (var i = 0; i < decoder.Sizes.Count; i++)
        {
            var size = decoder.Sizes[i];
            if (outputs[i].Length != (long)rows * size.Length)
            {
                throw new InvalidOperationException(
                    $"Model {Model.Name} must produce {(long)rows * size.Length} values of {size.Name} for {count} items; "
                        + $"got {outputs[i].Length}.");
            }
        }
        for (var i = 0; i < count; i++)
        {
            tensor.SetResult(first + i, decoder.Decode(new ItemOutputs(outputs, decoder.Sizes, i)));
        }
    }
}
