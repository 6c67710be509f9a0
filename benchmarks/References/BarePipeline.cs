using System.Runtime.InteropServices;
using System.Threading.Channels;
using Embeddings.Benchmarks.Measuring;
using Embeddings.Benchmarks.Models;
using Embeddings.Core.Imaging;
using Embeddings.Core.Inference;
using Embeddings.Core.Models;
using Microsoft.ML.OnnxRuntime;
using NetVips;
using OrtSessionOptions = Microsoft.ML.OnnxRuntime.SessionOptions;

namespace Embeddings.Benchmarks.References;

/// <summary>
/// The program that a user would write instead of a server: libvips makes thumbnails of the model's size, their pixels are laid
/// out in a tensor, and a bare session runs the batches, all at the same time on the same processors. Of several arrangements
/// it uses the fastest.
/// </summary>
internal sealed class BarePipeline : IDisposable
{
    private const int Finalists = 3;

    private static readonly int[] Sizes = [1, 4, 8, 16, 32];

    private readonly IReadOnlyList<byte[]> _files;
    private readonly BenchModel _model;
    private readonly InputSpec _input;
    private readonly RunOptions _options = new();
    private readonly Dictionary<(int Threads, bool Spins), InferenceSession> _sessions = [];
    private readonly Dictionary<int, List<Batch>> _batches = [];
    private Way _best;

    /// <param name="model">A model whose input is stretched.</param>
    /// <param name="files">Encoded images, used repeatedly.</param>
    public BarePipeline(BenchModel model, IReadOnlyList<byte[]> files)
    {
        Vips.EnsureStarted();
        (_model, _files, _input) = (model, files, model.Manifest.Input);
        if (_input.Resize != ResizeMode.Stretch || _input.Channels != 3)
        {
            throw new BenchException($"the pipeline stretches images to three channels; {model.Manifest.Name} needs something else");
        }
    }

    /// <summary>Description of the fastest arrangement.</summary>
    public string Best => _best.ToString();

    /// <summary>
    /// Tries all arrangements with all batch sizes up to the largest, and the fastest of them again, for longer.
    /// </summary>
    /// <param name="items">Images of each trial, at least.</param>
    /// <param name="largest">The largest batch that is tried.</param>
    public void FindBest(int items, int largest)
    {
        var processors = Environment.ProcessorCount;
        var ways = (
            from size in Sizes.TakeWhile(size => size <= largest)
            from way in (Way[])
            [
                // Decoders and one session that uses all processors; the same with a session per processor; and workers that
                // decode a batch and run it themselves.
                new(size, processors, 1, processors, Spins: false),
                new(size, processors, 1, processors, Spins: true),
                new(size, processors, processors, 1, Spins: false),
                new(size, 1, processors, 1, Spins: false),
                new(size, processors, 0, 1, Spins: false),
            ]
            select way).Distinct().ToList();
        foreach (var (kept, times) in new[] { (Finalists, 1), (1, 3) })
        {
            ways = [.. ways.OrderByDescending(way => Rate(way, Math.Max(items * times, way.Batch * (way.Decoders + way.Runners) * 2))).Take(kept)];
        }
        _best = ways[0];
    }

    /// <summary>Images per second of about this number of images at its best.</summary>
    public double Rate(int items) => Rate(_best, items);

    public void Dispose()
    {
        foreach (var batch in _batches.Values.SelectMany(batches => batches))
        {
            batch.Dispose();
        }
        foreach (var session in _sessions.Values)
        {
            session.Dispose();
        }
        _options.Dispose();
    }

    private double Rate(Way way, int items)
    {
        var session = Session(way);
        var count = (items + way.Batch - 1) / way.Batch;
        var batches = Batches(way.Batch, way.Decoders + way.Runners + 1);
        return count * way.Batch / Clock.Time(() => RunAsync(way, session, batches, count).GetAwaiter().GetResult());
    }

    private Task RunAsync(Way way, InferenceSession session, IReadOnlyList<Batch> batches, int count)
    {
        var next = 0;
        if (way.Runners == 0)
        {
            return OnThreads(way.Decoders, worker =>
            {
                for (var i = Interlocked.Increment(ref next); i <= count; i = Interlocked.Increment(ref next))
                {
                    Fill(batches[worker], i);
                    Run(session, batches[worker]);
                }
            });
        }
        var free = Channel.CreateUnbounded<Batch>();
        var filled = Channel.CreateUnbounded<Batch>();
        foreach (var batch in batches)
        {
            free.Writer.TryWrite(batch);
        }
        var decoding = OnThreads(way.Decoders, _ =>
        {
            for (var i = Interlocked.Increment(ref next); i <= count; i = Interlocked.Increment(ref next))
            {
                var batch = free.Reader.ReadAsync().AsTask().GetAwaiter().GetResult();
                Fill(batch, i);
                filled.Writer.TryWrite(batch);
            }
        });
        var closing = decoding.ContinueWith(decoded => filled.Writer.Complete(decoded.Exception), TaskScheduler.Default);
        var running = OnThreads(way.Runners, _ =>
        {
            while (filled.Reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult())
            {
                if (filled.Reader.TryRead(out var batch))
                {
                    Run(session, batch);
                    free.Writer.TryWrite(batch);
                }
            }
        });
        return Task.WhenAll(decoding, closing, running);
    }

    private static Task OnThreads(int count, Action<int> work) =>
        Task.WhenAll(Enumerable.Range(0, count).Select(worker => Task.Factory.StartNew(
            () => work(worker), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)));

    // The number of the batch selects its images.
    private void Fill(Batch batch, int number)
    {
        for (var i = 0; i < batch.Size; i++)
        {
            var file = _files[((number * batch.Size) + i) % _files.Count];
            using var thumbnail = Image.ThumbnailBuffer(file, _input.Width, height: _input.Height, size: Enums.Size.Force);
            ByteLayout.Colors(
                thumbnail.WriteToMemory<byte>(),
                batch.Values.AsSpan(i * _input.TensorLength, _input.TensorLength),
                _input,
                swap: _input.ColorOrder == Core.Models.ColorOrder.Bgr);
        }
    }

    private void Run(InferenceSession session, Batch batch)
    {
        using var flushing = DenormalNumbers.Flush();
        session.Run(_options, session.InputNames, [batch.Input], session.OutputNames, [batch.Output]);
    }

    private InferenceSession Session(Way way)
    {
        ref var session = ref CollectionsMarshal.GetValueRefOrAddDefault(_sessions, (way.Threads, way.Spins), out _);
        if (session is null)
        {
            using var options = new OrtSessionOptions
            {
                IntraOpNumThreads = way.Threads,
                GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_ALL,
            };
            options.AddSessionConfigEntry("session.intra_op.allow_spinning", way.Spins ? "1" : "0");
            // Otherwise the threads of an idle session would spin while another one runs.
            options.AddSessionConfigEntry("session.force_spinning_stop", "1");
            options.AddSessionConfigEntry(DenormalNumbers.Setting, "1");
            session = new(_model.File, options);
        }
        return session;
    }

    private List<Batch> Batches(int size, int count)
    {
        ref var batches = ref CollectionsMarshal.GetValueRefOrAddDefault(_batches, size, out _);
        batches ??= [];
        while (batches.Count < count)
        {
            batches.Add(new(size, _input, _model.Manifest.Dimension));
        }
        return batches[..count];
    }

    /// <summary>An arrangement.</summary>
    /// <param name="Batch">Images of a batch.</param>
    /// <param name="Decoders">Threads that make thumbnails.</param>
    /// <param name="Runners">Threads that run batches; 0 if the decoders do.</param>
    /// <param name="Threads">Threads of the session within a run.</param>
    /// <param name="Spins">True if those spin while they wait.</param>
    private readonly record struct Way(int Batch, int Decoders, int Runners, int Threads, bool Spins)
    {
        public override string ToString() => Runners == 0
            ? $"batch {Batch}, {Decoders} threads that decode and run"
            : $"batch {Batch}, {Decoders} decoding, {Runners} running with {Threads} threads{(Spins ? " that spin" : "")}";
    }

    private sealed class Batch : IDisposable
    {
        public Batch(int size, InputSpec input, int dimension)
        {
            Size = size;
            Values = new float[size * input.TensorLength];
            Input = OrtValue.CreateTensorValueFromMemory(Values, [size, 3, input.Height, input.Width]);
            Output = OrtValue.CreateTensorValueFromMemory(new float[size * dimension], [size, dimension]);
        }

        public int Size { get; }

        public float[] Values { get; }

        public OrtValue Input { get; }

        public OrtValue Output { get; }

        public void Dispose()
        {
            Input.Dispose();
            Output.Dispose();
        }
    }
}
