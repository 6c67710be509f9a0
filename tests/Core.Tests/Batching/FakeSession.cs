using System.Diagnostics.Metrics;
using Embeddings.Core.Inference;
using Embeddings.Core.Models;
using Embeddings.Primitives;
using Microsoft.Extensions.DependencyInjection;

namespace Embeddings.Core.Tests.Batching;

/// <summary>A session whose vector is its input's first two values, and which tests can pause or make fail.</summary>
internal sealed class FakeSession(int maxBatch = 4, int multiThreadedRuns = 1, int singleThreadedRuns = 0) : IEmbeddingSession
{
    public const float Poison = -13;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    private readonly ManualResetEventSlim _open = new(true);
    private readonly List<int> _running = [];
    private int _disposals;
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public List<float[]> Runs { get; } = [];

    /// <summary>The slot of each of <see cref="Runs"/>.</summary>
    public List<int> Slots { get; } = [];

    /// <summary>The thread of each of <see cref="Runs"/>.</summary>
    public List<int> Threads { get; } = [];

    /// <summary>Milliseconds that a run of some items takes.</summary>
    public Func<int, int> Takes { get; init; } = static _ => 0;

    /// <summary>Slots of the current runs, in ascending order.</summary>
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

    public int TensorsCreated { get; private set; }

    public ModelInfo Model { get; } = new(new ModelManifest
    {
        Name = "fake",
        Kind = ModelKind.Image,
        Input = new() { Width = 1, Height = 1 },
        Dimension = 2,
        MaxBatch = maxBatch,
        Sha256 = new string('0', 64),
    });

    public int MaxBatch => maxBatch;

    public int MultiThreadedRuns => multiThreadedRuns;

    public int SingleThreadedRuns => singleThreadedRuns;

    public string ExecutionProvider => "fake";

    public IReadOnlyList<string> Notices => [];

    public static EmbeddingMetrics Metrics() =>
        new(new ServiceCollection().AddMetrics().BuildServiceProvider().GetRequiredService<IMeterFactory>());

    /// <summary>Holds all runs until <see cref="Resume"/>.</summary>
    public void Pause() => _open.Reset();

    public void Resume() => _open.Set();

    /// <summary>Completes when the slots of the current runs satisfy a condition.</summary>
    public async Task Until(Func<int[], bool> reached)
    {
        while (true)
        {
            Task changed;
            lock (Runs)
            {
                if (reached(Running))
                {
                    return;
                }
                changed = _changed.Task;
            }
            await changed.WaitAsync(Limit);
        }
    }

    public BatchTensor CreateTensor()
    {
        TensorsCreated++;
        return new(new TensorLayout(Model.Manifest.Input, 2, HalfInput: false, HalfOutput: false, OutputShape: null), maxBatch);
    }

    public void Run(int slot, BatchTensor tensor, int first, int count)
    {
        lock (Runs)
        {
            Assert.InRange(slot, 0, multiThreadedRuns + singleThreadedRuns - 1);
            Assert.DoesNotContain(slot, _running);
            _running.Add(slot);
            SignalChange();
        }
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
                SignalChange();
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

    /// <summary>Number of calls of <see cref="Dispose"/>, which frees native memory in a real session.</summary>
    public int Disposals => Volatile.Read(ref _disposals);

    public void Dispose() => Interlocked.Increment(ref _disposals);

    private void SignalChange()
    {
        _changed.SetResult();
        _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
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
}
