using System.Diagnostics.Metrics;
using Embeddings.Core.Inference;
using Embeddings.Core.Models;
using Embeddings.Primitives;
using Embeddings.Testing;
using Microsoft.Extensions.DependencyInjection;

namespace Embeddings.Core.Tests.Batching;

/// <summary>A model whose vector is its input's first two numbers, and which tests can hold up or make fail.</summary>
internal sealed class FakeModel(int maxBatch = 4, int sessions = 1, int narrowRuns = 0) : IEmbeddingModel
{
    public const float Poison = -13;

    private readonly ManualResetEventSlim _open = new(true);

    private readonly List<int> _running = [];

    public List<float[]> Runs { get; } = [];

    /// <summary>The slot of each of <see cref="Runs"/>.</summary>
    public List<int> Slots { get; } = [];

    /// <summary>The thread of each of <see cref="Runs"/>.</summary>
    public List<int> Threads { get; } = [];

    /// <summary>Milliseconds that a run of so many items takes.</summary>
    public Func<int, int> Takes { get; init; } = static _ => 0;

    /// <summary>Slots of the runs that are going on, in ascending order.</summary>
    public int[] Running
    {
        get
        {
            lock (Runs)
            {
                return [.. _running.Order()];
            }
        }
    }

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

    public int NarrowRuns => narrowRuns;

    public string ExecutionProvider => "fake";

    public IReadOnlyList<string> Notices => [];

    public static EmbeddingMetrics Metrics() => new(new ServiceCollection().AddMetrics().BuildServiceProvider().GetRequiredService<IMeterFactory>());

    /// <summary>Holds all runs up until <see cref="Resume"/>.</summary>
    public void Pause() => _open.Reset();

    public void Resume() => _open.Set();

    public BatchTensor CreateTensor()
    {
        TensorsMade++;
        return new Tensor(maxBatch);
    }

    public void Run(int slot, BatchTensor tensor, int first, int count)
    {
        Begin(slot);
        try
        {
            _open.Wait();
            Thread.Sleep(Takes(count));
            Run(slot, tensor, Enumerable.Range(first, count));
        }
        finally
        {
            lock (Runs)
            {
                _running.Remove(slot);
            }
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

    private void Begin(int slot)
    {
        lock (Runs)
        {
            Assert.InRange(slot, 0, sessions + narrowRuns - 1);
            Assert.DoesNotContain(slot, _running);
            _running.Add(slot);
        }
    }

    private void Run(int slot, BatchTensor tensor, IEnumerable<int> places)
    {
        var inputs = places.Select(i => tensor.Item(i)[0]).ToArray();
        lock (Runs)
        {
            Runs.Add(inputs);
            Slots.Add(slot);
            Threads.Add(Environment.CurrentManagedThreadId);
        }
        if (inputs.Contains(Poison))
        {
            throw new InvalidOperationException("poisoned");
        }
        foreach (var i in places)
        {
            tensor.Item(i)[..2].CopyTo(tensor.Vector(i));
        }
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
