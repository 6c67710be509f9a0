using Embeddings.Core.Models;
using Embeddings.Primitives;
using Embeddings.Primitives.Numerics;
using Microsoft.ML.OnnxRuntime;

namespace Embeddings.Core.Inference;

/// <summary>A model in ONNX Runtime. Another kind of model is one more class that says how its vectors are finished.</summary>
internal abstract class EmbeddingModel : IEmbeddingModel
{
    private readonly RuntimeSessions _sessions;
    private readonly TensorLayout _layout;
    private readonly IReadOnlyList<string> _notices;
    private readonly string[] _inputNames;
    private readonly string[] _outputNames;

    protected EmbeddingModel(LoadedGraph graph)
    {
        Manifest = graph.Manifest;
        MaxBatch = graph.MaxBatch;
        _notices = graph.Notices;
        Fingerprint = Models.Fingerprint.Of(graph.Manifest);
        _sessions = graph.Sessions;
        _layout = graph.Layout;
        _inputNames = [graph.Signature.Input];
        _outputNames = [graph.Signature.Output];
    }

    /// <inheritdoc/>
    public ModelManifest Manifest { get; }

    /// <inheritdoc/>
    public string Fingerprint { get; }

    /// <inheritdoc/>
    public int MaxBatch { get; }

    /// <inheritdoc/>
    public int Sessions => _sessions.Plan.Sessions;

    /// <inheritdoc/>
    public int NarrowRuns => _sessions.Plan.NarrowRuns;

    /// <inheritdoc/>
    public string ExecutionProvider => _sessions.Provider;

    /// <inheritdoc/>
    public IReadOnlyList<string> Notices => _sessions.Failure is { } why ? [.. _notices, why] : _notices;

    /// <inheritdoc/>
    public BatchTensor CreateTensor() => new OrtBatchTensor(_layout, MaxBatch);

    /// <inheritdoc/>
    public void Run(int slot, BatchTensor tensor, int first, int count)
    {
        if (tensor is not OrtBatchTensor batch || !ReferenceEquals(batch.Layout, _layout))
        {
            throw new ArgumentException("the tensor is another model's", nameof(tensor));
        }
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, MaxBatch);
        _sessions.Use(slot, (Model: this, batch, first, count), static (session, options, at) =>
            at.batch.Use(at.first, at.count, (at, session, options), static (call, input, output) =>
                call.at.Model.Run(call.session, call.options, call.at.batch, call.at.first, call.at.count, input, output)));
    }

    /// <inheritdoc/>
    public abstract void Finish(Span<float> vector);

    /// <inheritdoc/>
    public void Dispose() => _sessions.Dispose();

    /// <summary>Brings the vector to L2 norm 1, or throws where that is impossible.</summary>
    protected void Normalize(Span<float> vector)
    {
        if (!VectorMath.TryNormalize(vector))
        {
            throw Unusable(vector);
        }
    }

    /// <summary>Throws where the vector has a NaN or an infinity, or no length.</summary>
    protected void Check(ReadOnlySpan<float> vector)
    {
        if (!VectorMath.IsFinite(vector) || VectorMath.IsZero(vector))
        {
            throw Unusable(vector);
        }
    }

    private Fault Unusable(ReadOnlySpan<float> vector) => VectorMath.IsFinite(vector)
        ? Fault.Invalid(Reasons.VectorZero, "image", $"model {Manifest.Name} sees nothing in this picture: its vector is all zeros")
        : Fault.Invalid(Reasons.VectorNotFinite, "image", $"model {Manifest.Name} gives NaN or infinity for this picture");

    private void Run(InferenceSession session, RunOptions options, OrtBatchTensor batch, int first, int count, OrtValue input, OrtValue? output)
    {
        if (output is not null)
        {
            session.Run(options, _inputNames, [input], _outputNames, [output]);
            return;
        }
        using var made = session.Run(options, _inputNames, [input], _outputNames);
        var shape = made[0].GetTensorTypeAndShape();
        if (shape.ElementCount != (long)_layout.RowsOf(count) * _layout.Dimension)
        {
            throw new InvalidOperationException($"model {Manifest.Name} gave {shape.ElementCount} values for {count} items");
        }
        batch.CopyOutput(first, count, made[0]);
    }
}
