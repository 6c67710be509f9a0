using Embeddings.Server.Diagnostics;
using Embeddings.Server.Inference;

namespace Embeddings.Server.Tests.Batching;

/// <summary>A model whose vector is its input's first two numbers, and which tests can hold up or make fail.</summary>
internal sealed class FakeModel(int maxBatch = 4, int sessions = 1) : IEmbeddingModel
{
    public const float Poison = -13;

    private readonly ManualResetEventSlim _open = new(true);

    public List<float[]> Runs { get; } = [];

    public int TensorsMade { get; private set; }

    public ModelManifest Manifest { get; } = new()
    {
        Name = "fake",
        Kind = ModelKind.Image,
        Input = new() { Width = 1, Height = 1 },
        Dimension = 2,
        MaxBatch = maxBatch,
        Sha256 = new string('0', 64),
    };

    public string Fingerprint => Manifest.Sha256;

    public int MaxBatch => maxBatch;

    public int Sessions => sessions;

    public string ExecutionProvider => "fake";

    public IReadOnlyList<string> Notices => [];

    /// <summary>Holds all runs up until <see cref="Resume"/>.</summary>
    public void Pause() => _open.Reset();

    public void Resume() => _open.Set();

    public BatchTensor CreateTensor()
    {
        TensorsMade++;
        return new Tensor(maxBatch);
    }

    public void Run(int session, BatchTensor tensor, int first, int count)
    {
        _open.Wait();
        var inputs = Enumerable.Range(first, count).Select(i => tensor.Item(i)[0]).ToArray();
        lock (Runs)
        {
            Runs.Add(inputs);
        }
        if (inputs.Contains(Poison))
        {
            throw new InvalidOperationException("poisoned");
        }
        for (var i = first; i < first + count; i++)
        {
            tensor.Item(i)[..2].CopyTo(tensor.Vector(i));
        }
    }

    public void Finish(Span<float> vector)
    {
        if (!float.IsFinite(vector[0]))
        {
            throw new Fault(FaultKind.Internal, Reasons.InferenceFailed, "not finite");
        }
    }

    public void Dispose()
    {
    }

    private sealed class Tensor(int capacity) : BatchTensor
    {
        private readonly float[] _inputs = new float[capacity * 3];
        private readonly float[] _vectors = new float[capacity * 2];

        public override int Capacity => capacity;

        public override Span<float> Item(int index) => _inputs.AsSpan(index * 3, 3);

        public override Span<float> Vector(int index) => _vectors.AsSpan(index * 2, 2);

        public override void Dispose()
        {
        }
    }
}
