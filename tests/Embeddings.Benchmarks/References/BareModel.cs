using Embeddings.Benchmarks.Measuring;
using Embeddings.Benchmarks.Models;
using Embeddings.Server.Inference;
using Microsoft.ML.OnnxRuntime;
using OrtSessionOptions = Microsoft.ML.OnnxRuntime.SessionOptions;

namespace Embeddings.Benchmarks.References;

/// <summary>A loop of one's own around ONNX Runtime: one session with the server's threads, tensors made once, nothing else.</summary>
internal sealed class BareModel : IDisposable
{
    private static readonly int[] Sizes = [1, 2, 4, 8, 16, 32, 64];

    private readonly InferenceSession _session;
    private readonly RunOptions _runOptions = new();
    private readonly Dictionary<int, (OrtValue Input, OrtValue Output)> _tensors = [];
    private readonly InputSpec _input;
    private readonly string[] _inputNames;
    private readonly string[] _outputNames;

    public BareModel(BenchModel model)
    {
        var options = new InferenceOptions();
        var plan = SessionPlan.For(options, oneAtATime: false, Environment.ProcessorCount);
        using var sessionOptions = new OrtSessionOptions
        {
            // One session with the threads of all of the server's.
            IntraOpNumThreads = plan.IntraOpThreads * plan.Sessions,
            InterOpNumThreads = options.InterOpThreads,
            GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_ALL,
        };
        sessionOptions.AddSessionConfigEntry("session.intra_op.allow_spinning", options.Spinning ? "1" : "0");
        _session = new InferenceSession(model.File, sessionOptions);
        _input = model.Manifest.Input;
        _inputNames = [.. _session.InputMetadata.Keys];
        _outputNames = [.. _session.OutputMetadata.Keys];
    }

    /// <summary>Items in a run at which it does the most of them in a second; <see cref="FindBest"/> sets it.</summary>
    public int BestBatch { get; private set; } = 1;

    /// <summary>Tries all sizes up to the largest, several times over since one try may meet a busy machine, and keeps the fastest.</summary>
    public void FindBest(TimeSpan each, int rounds, int largest)
    {
        var rates = new Dictionary<int, double>();
        for (var round = 0; round < rounds; round++)
        {
            foreach (var size in Sizes.TakeWhile(size => size <= largest))
            {
                rates[size] = Math.Max(rates.GetValueOrDefault(size), Rate(each, size));
            }
        }
        BestBatch = rates.MaxBy(static rate => rate.Value).Key;
    }

    /// <summary>Items a second at the best size.</summary>
    public double Rate(TimeSpan about) => Rate(about, BestBatch);

    /// <summary>Runs about so many items at the best size; how many of them in a second.</summary>
    public double Rate(int items)
    {
        var runs = (items + BestBatch - 1) / BestBatch;
        return runs * BestBatch / Clock.Time(() =>
        {
            for (var i = 0; i < runs; i++)
            {
                Run(BestBatch);
            }
        });
    }

    public double Rate(TimeSpan about, int batch)
    {
        var (input, output) = Tensors(batch);
        return batch * Clock.Rate(about, () => _session.Run(_runOptions, _inputNames, [input], _outputNames, [output]));
    }

    /// <summary>Runs one batch.</summary>
    public void Run(int batch)
    {
        var (input, output) = Tensors(batch);
        _session.Run(_runOptions, _inputNames, [input], _outputNames, [output]);
    }

    public void Dispose()
    {
        foreach (var (input, output) in _tensors.Values)
        {
            input.Dispose();
            output.Dispose();
        }
        _runOptions.Dispose();
        _session.Dispose();
    }

    private (OrtValue Input, OrtValue Output) Tensors(int batch)
    {
        if (_tensors.TryGetValue(batch, out var tensors))
        {
            return tensors;
        }
        var random = new Random(batch);
        var values = new float[batch * _input.TensorLength];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = (random.NextSingle() * 2) - 1;
        }
        tensors = (OrtValue.CreateTensorValueFromMemory(values, [batch, 3, _input.Height, _input.Width]),
            OrtValue.CreateTensorValueFromMemory(new float[batch * Networks.Dimension], [batch, Networks.Dimension]));
        _tensors.Add(batch, tensors);
        return tensors;
    }
}
