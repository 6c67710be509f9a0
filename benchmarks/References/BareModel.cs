using Embeddings.Benchmarks.Measuring;
using Embeddings.Benchmarks.Models;
using Embeddings.Core;
using Embeddings.Core.Imaging;
using Embeddings.Core.Inference;
using Embeddings.Core.Models;
using Embeddings.Server.Grpc.Mapping;
using Embeddings.V1;
using Microsoft.ML.OnnxRuntime;
using OrtSessionOptions = Microsoft.ML.OnnxRuntime.SessionOptions;

namespace Embeddings.Benchmarks.References;

/// <summary>
/// A loop around ONNX Runtime: one session with as many threads as the server, prepared tensors, nothing else. It runs at its best: with or without
/// spinning threads, at the fastest batch size.
/// </summary>
/// <remarks>
/// Its tensors are of the same images as those of the service, because the cost of an operator depends on the values: PReLU takes twice as long for noise,
/// whose signs cannot be predicted.
/// </remarks>
internal sealed class BareModel : IDisposable
{
    private const int Finalists = 4;

    private static readonly int[] Sizes = [1, 2, 4, 8, 16, 32, 64];

    private readonly InferenceSession[] _sessions;
    private readonly RunOptions _runOptions = new();
    private readonly Dictionary<int, (OrtValue Input, OrtValue Output)> _tensors = [];
    private readonly float[][] _images;
    private readonly InputSpec _input;
    private readonly string[] _inputNames;
    private readonly string[] _outputNames;
    private int _best;

    public BareModel(BenchModel model, IReadOnlyList<StreamEmbedRequest> requests)
    {
        _input = model.Manifest.Input;
        var preprocessor = new Preprocessor(new ImagingOptions());
        _images = [.. requests.Select(request => Prepare(preprocessor, request))];
        _sessions = [Open(model, spinning: false), Open(model, spinning: true)];
        _inputNames = [.. _sessions[0].InputMetadata.Keys];
        _outputNames = [.. _sessions[0].OutputMetadata.Keys];
    }

    /// <summary>Batch size with the highest throughput, set by <see cref="FindBest"/>.</summary>
    public int BestBatch { get; private set; } = 1;

    /// <summary>Description of the fastest configuration.</summary>
    public string Best => $"batch {BestBatch}, {(_best == 0 ? "threads that do not spin" : "spinning threads")}";

    /// <summary>
    /// Tries all batch sizes up to the largest with both sessions, several times because the machine may be busy during one trial; then the best few again,
    /// for longer, because the best of many short trials is not always the fastest. Keeps the one with the highest mean.
    /// </summary>
    public void FindBest(TimeSpan each, int rounds, int largest)
    {
        var ways = Sizes.TakeWhile(size => size <= largest).SelectMany(size => Enumerable.Range(0, _sessions.Length).Select(session => (session, size))).ToArray();
        foreach (var (kept, time) in new[] { (Finalists, each), (1, 2 * each) })
        {
            var items = new double[ways.Length];
            for (var round = 0; round < rounds; round++)
            {
                for (var i = 0; i < ways.Length; i++)
                {
                    (_best, var size) = ways[i];
                    items[i] += Rate(time, size);
                }
            }
            ways = [.. ways.Zip(items).OrderByDescending(static way => way.Second).Take(kept).Select(static way => way.First)];
        }
        (_best, BestBatch) = ways[0];
    }

    /// <summary>Items per second at its best.</summary>
    public double Rate(TimeSpan about) => Rate(about, BestBatch);

    /// <summary>Runs about this number of items at its best and returns the items per second.</summary>
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

    /// <summary>Runs one batch.</summary>
    public void Run(int batch)
    {
        var (input, output) = Tensors(batch);
        using var flushing = DenormalNumbers.Flush();
        _sessions[_best].Run(_runOptions, _inputNames, [input], _outputNames, [output]);
    }

    public void Dispose()
    {
        foreach (var (input, output) in _tensors.Values)
        {
            input.Dispose();
            output.Dispose();
        }
        _runOptions.Dispose();
        foreach (var session in _sessions)
        {
            session.Dispose();
        }
    }

    private static InferenceSession Open(BenchModel model, bool spinning)
    {
        var options = new InferenceOptions();
        var plan = SessionPlan.For(options, oneAtATime: false, Environment.ProcessorCount, new FileInfo(model.File).Length);
        using var sessionOptions = new OrtSessionOptions
        {
            // One session with the threads of all of the server's.
            IntraOpNumThreads = plan.IntraOpThreads * plan.Sessions,
            InterOpNumThreads = options.InterOpThreads,
            GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_ALL,
        };
        sessionOptions.AddSessionConfigEntry("session.intra_op.allow_spinning", spinning ? "1" : "0");
        // Otherwise the threads of the idle session would spin while the other one runs.
        sessionOptions.AddSessionConfigEntry("session.force_spinning_stop", "1");
        sessionOptions.AddSessionConfigEntry(DenormalNumbers.Setting, "1");
        return new InferenceSession(model.File, sessionOptions);
    }

    private double Rate(TimeSpan about, int batch)
    {
        Tensors(batch);
        return batch * Clock.Rate(about, () => Run(batch));
    }

    private float[] Prepare(Preprocessor preprocessor, StreamEmbedRequest request)
    {
        var source = request.Face is { } face ? EmbeddingMapping.ToRequest(face, "", true, "face") : EmbeddingMapping.ToRequest(request.Image, "", true, "image");
        using var prepared = preprocessor.Prepare(source.Image, _input);
        var tensor = new float[_input.TensorLength];
        prepared.WriteTo(tensor, _input);
        return tensor;
    }

    private (OrtValue Input, OrtValue Output) Tensors(int batch)
    {
        if (_tensors.TryGetValue(batch, out var tensors))
        {
            return tensors;
        }
        var values = new float[batch * _input.TensorLength];
        for (var i = 0; i < batch; i++)
        {
            _images[i % _images.Length].CopyTo(values, i * _input.TensorLength);
        }
        tensors = (OrtValue.CreateTensorValueFromMemory(values, [batch, 3, _input.Height, _input.Width]),
            OrtValue.CreateTensorValueFromMemory(new float[batch * Networks.Dimension], [batch, Networks.Dimension]));
        _tensors.Add(batch, tensors);
        return tensors;
    }
}
