using Embeddings.Benchmarks.Measuring;
using Embeddings.Benchmarks.Models;
using Embeddings.Core;
using Embeddings.Core.Imaging;
using Embeddings.Core.Inference;
using Microsoft.ML.OnnxRuntime;
using OrtSessionOptions = Microsoft.ML.OnnxRuntime.SessionOptions;

namespace Embeddings.Benchmarks.References;

/// <summary>
/// A model in a bare session with as many threads as processors and prepared tensors, at the batch size that is fastest. Unlike
/// <see cref="BareModel"/>, it takes models with several outputs.
/// </summary>
internal sealed class BarePart : IDisposable
{
    private static readonly int[] Sizes = [1, 2, 4, 8, 16, 32];

    private readonly InferenceSession _session;
    private readonly RunOptions _options = new();
    private readonly Dictionary<int, OrtValue> _inputs = [];
    private readonly int _best;

    /// <param name="model">The model.</param>
    /// <param name="images">Encoded images, which are stretched to the input.</param>
    /// <param name="each">Time of each trial.</param>
    public BarePart(BenchModel model, IReadOnlyList<byte[]> images, TimeSpan each)
    {
        using var options = new OrtSessionOptions { IntraOpNumThreads = Environment.ProcessorCount };
        options.AddSessionConfigEntry("session.intra_op.allow_spinning", "0");
        options.AddSessionConfigEntry(DenormalNumbers.Setting, "1");
        _session = new(model.File, options);
        var spec = model.Manifest.Input;
        var preprocessor = new Preprocessor(new ImagingOptions());
        var tensors = images.Select(image =>
        {
            using var prepared = preprocessor.Prepare(ImageInput.FromFile(image), spec);
            var tensor = new float[spec.TensorLength];
            prepared.WriteTo(tensor, spec);
            return tensor;
        }).ToList();
        foreach (var size in Sizes)
        {
            var values = new float[size * spec.TensorLength];
            for (var i = 0; i < size; i++)
            {
                tensors[i % tensors.Count].CopyTo(values, i * spec.TensorLength);
            }
            _inputs[size] = OrtValue.CreateTensorValueFromMemory(
                values, [size, spec.TensorLength / (spec.Width * spec.Height), spec.Height, spec.Width]);
        }
        _best = Sizes.MinBy(size => SecondsPerItem(each, size));
    }

    /// <summary>Batch size with the highest throughput.</summary>
    public int BestBatch => _best;

    /// <summary>Seconds that an item takes at the best batch size.</summary>
    public double SecondsPerItem(TimeSpan about) => SecondsPerItem(about, _best);

    public void Dispose()
    {
        foreach (var input in _inputs.Values)
        {
            input.Dispose();
        }
        _options.Dispose();
        _session.Dispose();
    }

    private double SecondsPerItem(TimeSpan about, int batch)
    {
        Run(batch);
        return 1 / (batch * Clock.Rate(about, () => Run(batch)));
    }

    private void Run(int batch)
    {
        using var flushing = DenormalNumbers.Flush();
        using var outputs = _session.Run(_options, _session.InputNames, [_inputs[batch]], _session.OutputNames);
    }
}
