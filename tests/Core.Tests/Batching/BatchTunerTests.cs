using Embeddings.Core.Batching;
using Embeddings.Core.Inference;
using Embeddings.Core.Models;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Embeddings.Core.Tests.Batching;

/// <summary>Trials of batch sizes on a clock that only the runs and the tests move.</summary>
public sealed class BatchTunerTests
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan Tick = TimeSpan.FromSeconds(1);

    private readonly FakeTimeProvider _time = new();

    [Theory]
    [InlineData(4)]
    [InlineData(8)]
    [InlineData(32)]
    public async Task The_best_size_is_found_after_a_load_and_serves_callers(int best)
    {
        using var host = await Loaded(new(_time, best));
        Assert.Equal(8, host.Queue.BatchSize);
        var tuner = new BatchTuner(_time);
        Assert.True(Settle(tuner, host, () => true));
        Assert.Equal((best, best), (host.Trials.Size, host.Queue.BatchSize));
        Assert.False(host.Trials.AreWanted);
        Assert.Equal(best, await Load(host, best));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(10)]
    [InlineData(40)]
    public async Task Trials_take_at_most_three_percent_of_the_time(int millisecondsPerItem)
    {
        var session = new TimedSession(_time, best: 16, millisecondsPerItem);
        using var host = await Loaded(session);
        var began = _time.GetTimestamp();
        var tuner = new BatchTuner(_time);
        for (var ticks = 0; host.Trials.AreWanted; ticks++)
        {
            Assert.InRange(ticks, 0, 10_000);
            _time.Advance(Tick);
            tuner.TryRun(host.Trials, () => true);
            Assert.InRange(session.Tried / _time.GetElapsedTime(began), 0, BatchTuner.Share);
            if (ticks % 7 == 0)
            {
                await Load(host, 8);
            }
        }
        Assert.Equal(16, host.Trials.Size);
    }

    [Fact]
    public async Task A_pause_of_hours_does_not_add_up_to_a_long_trial()
    {
        var session = new TimedSession(_time, best: 1, millisecondsPerItem: 10);
        using var host = await Loaded(session);
        var tuner = new BatchTuner(_time);
        _time.Advance(TimeSpan.FromHours(10));
        for (var runs = 0; runs < 1000; runs++)
        {
            tuner.TryRun(host.Trials, () => true);
        }
        Assert.InRange(session.Tried, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(2));
    }

    [Fact]
    public async Task A_run_that_takes_much_longer_than_expected_is_ended()
    {
        var session = new TimedSession(_time, best: 16, millisecondsPerItem: 1);
        using var host = await Loaded(session);
        var tuner = new BatchTuner(_time);
        session.Trying = () => session.Time.Advance(TimeSpan.FromSeconds(1));
        _time.Advance(Tick);
        Assert.False(tuner.TryRun(host.Trials, () => true));
        Assert.Equal(1, session.Interrupted);
    }

    [Fact]
    public async Task Sizes_whose_runs_take_too_long_are_not_tried()
    {
        // 8 items are 0.7 s; 16 could be 2.1 s.
        var session = new TimedSession(_time, best: 32, millisecondsPerItem: 60);
        using var host = await Loaded(session);
        Assert.True(Settle(new BatchTuner(_time), host, () => true));
        Assert.Equal(8, host.Trials.Size);
        Assert.DoesNotContain(16, session.Sizes);
        Assert.Contains(4, session.Sizes);
    }

    [Fact]
    public async Task A_model_whose_size_is_known_is_not_tried()
    {
        var session = new TimedSession(_time, best: 16);
        using var host = new BatchRunner(session, new(), FakeSession.Metrics(), _time, NullLogger.Instance, batchSize: 16);
        Assert.Equal(16, host.Queue.BatchSize);
        await Load(host, 16);
        Assert.False(host.Trials.AreWanted);
        var tuner = new BatchTuner(_time);
        _time.Advance(TimeSpan.FromHours(1));
        Assert.False(tuner.TryRun(host.Trials, () => true));
        Assert.Equal(TimeSpan.Zero, session.Tried);
    }

    [Fact]
    public async Task A_model_without_load_is_not_tried()
    {
        var session = new TimedSession(_time, best: 16);
        using var host = new BatchRunner(session, new(), FakeSession.Metrics(), _time, NullLogger.Instance);
        var tuner = new BatchTuner(_time);
        _time.Advance(TimeSpan.FromHours(1));
        Assert.False(tuner.TryRun(host.Trials, () => true));
        // Not a full batch.
        await Load(host, 7);
        _time.Advance(TimeSpan.FromHours(1));
        Assert.False(tuner.TryRun(host.Trials, () => true));
        Assert.False(host.Trials.AreWanted);
        Assert.Equal(TimeSpan.Zero, session.Tried);
    }

    [Fact]
    public async Task A_server_that_is_not_idle_makes_no_trial()
    {
        var session = new TimedSession(_time, best: 16);
        using var host = await Loaded(session);
        var tuner = new BatchTuner(_time);
        _time.Advance(TimeSpan.FromHours(1));
        Assert.False(tuner.TryRun(host.Trials, () => false));
        Assert.Equal(TimeSpan.Zero, session.Tried);
    }

    [Fact]
    public async Task A_call_that_arrives_ends_the_run_which_does_not_count()
    {
        var session = new TimedSession(_time, best: 16);
        using var host = await Loaded(session);
        var tuner = new BatchTuner(_time);
        session.Trying = tuner.Interrupt;
        for (var i = 0; i < 1000; i++)
        {
            _time.Advance(Tick);
            Assert.False(tuner.TryRun(host.Trials, () => true));
        }
        Assert.True(session.Interrupted > 0);
        Assert.True(host.Trials.AreWanted);
        // No memory is kept while callers need it.
        Assert.Equal(session.Interrupted, session.TensorsCreated - session.TensorsBefore);

        session.Trying = static () => { };
        Assert.True(Settle(tuner, host, () => true));
        Assert.Equal(16, host.Trials.Size);
    }

    [Fact]
    public async Task A_trial_that_was_lost_gives_its_memory_back()
    {
        var session = new TimedSession(_time, best: 8);
        using var host = await Loaded(session);
        Assert.True(Settle(new BatchTuner(_time), host, () => true));
        // Half of it, and double of it.
        Assert.Equal([(1, 4), (1, 16)], session.Releases);
    }

    [Fact]
    public void A_warm_up_is_one_run_of_one_image_that_a_call_ends()
    {
        var session = new TimedSession(_time, best: 8);
        using var host = new BatchRunner(session, new(), FakeSession.Metrics(), _time, NullLogger.Instance);
        var tuner = new BatchTuner(_time);
        tuner.WarmUp(host.Trials, () => false);
        Assert.Empty(session.Sizes);
        tuner.WarmUp(host.Trials, () => true);
        session.Trying = tuner.Interrupt;
        tuner.WarmUp(host.Trials, () => true);
        Assert.Equal([1, 1], session.Sizes);
        Assert.Equal(1, session.Interrupted);
    }

    [Fact]
    public async Task A_run_that_fails_ends_the_trials()
    {
        var session = new TimedSession(_time, best: 16) { Fails = true };
        using var host = await Loaded(session);
        var tuner = new BatchTuner(_time);
        _time.Advance(TimeSpan.FromHours(1));
        Assert.Throws<InvalidOperationException>(() => tuner.TryRun(host.Trials, () => true));
        Assert.False(host.Trials.AreWanted);
        Assert.Equal(8, await Load(host, 8));
    }

    [Fact]
    public async Task A_model_that_is_unloaded_ends_its_trials()
    {
        var session = new TimedSession(_time, best: 16);
        var host = await Loaded(session);
        var tuner = new BatchTuner(_time);
        _time.Advance(TimeSpan.FromHours(1));
        Task? unloading = null;
        session.Trying = () =>
        {
            unloading ??= Task.Run(host.Dispose);
            Assert.True(session.Token.WaitHandle.WaitOne(Soon));
        };
        Assert.False(tuner.TryRun(host.Trials, () => true));
        await unloading!.WaitAsync(Soon);
        Assert.Equal(1, session.Interrupted);
    }

    [Fact]
    public async Task Sizes_above_the_first_are_used_only_if_the_load_fills_them_on_every_processor()
    {
        var session = new FakeSession(maxBatch: 32, singleThreadedRuns: 2);
        using var host = new BatchRunner(session, new(), FakeSession.Metrics(), TimeProvider.System, NullLogger.Instance, batchSize: 32);
        session.Pause();
        // 64 fill two batches of 32; 16 would fill half of one.
        var few = await Places(host, 16);
        Assert.Equal([8, 8], few.Select(static item => item.Batch).Distinct().Select(static batch => batch.Size));
        few.ForEach(static item => _ = item.Commit(default));
        session.Resume();
        await Task.WhenAll(few.Select(static item => item.Task)).WaitAsync(Soon);
        Assert.Equal(8, session.Runs.Max(static run => run.Length));
    }

    private static bool Settle(BatchTuner tuner, BatchRunner host, FakeTimeProvider time, Func<bool> isIdle)
    {
        for (var i = 0; i < 100_000; i++)
        {
            time.Advance(Tick);
            if (tuner.TryRun(host.Trials, isIdle))
            {
                return true;
            }
        }
        return false;
    }

    private static async Task<List<BatchItem>> Places(BatchRunner host, int count)
    {
        var places = new List<BatchItem>();
        for (var i = 0; i < count; i++)
        {
            places.Add(await host.Queue.ReserveAsync("owner", default).AsTask().WaitAsync(Soon));
            places[^1].Tensor.Clear();
        }
        return places;
    }

    // The items of the largest run.
    private static async Task<int> Load(BatchRunner host, int count)
    {
        var places = await Places(host, count);
        var results = await Task.WhenAll(places.Select(static item => item.Commit(default))).WaitAsync(Soon);
        return results.Max(static result => result.BatchSize);
    }

    private static async Task<BatchRunner> Loaded(TimedSession session)
    {
        var host = new BatchRunner(session, new(), FakeSession.Metrics(), session.Time, NullLogger.Instance);
        Assert.Equal(8, await Load(host, 8));
        session.TensorsBefore = session.TensorsCreated;
        return host;
    }

    private bool Settle(BatchTuner tuner, BatchRunner host, Func<bool> isIdle) => Settle(tuner, host, _time, isIdle);

    /// <summary>A session whose runs move the clock: an item costs a fifth more for each doubling or halving away from the best size.</summary>
    private sealed class TimedSession(FakeTimeProvider time, int best, int millisecondsPerItem = 5) : IEmbeddingSession
    {
        public FakeTimeProvider Time { get; } = time;

        /// <summary>Time spent in trials.</summary>
        public TimeSpan Tried { get; private set; }

        /// <summary>Sizes of the runs of trials.</summary>
        public List<int> Sizes { get; } = [];

        public int Interrupted { get; private set; }

        public bool Fails { get; init; }

        public int TensorsCreated { get; private set; }

        public int TensorsBefore { get; set; }

        /// <summary>Called in the middle of the run of a trial.</summary>
        public Action Trying { get; set; } = static () => { };

        /// <summary>The token of the run of a trial.</summary>
        public CancellationToken Token { get; private set; }

        /// <summary>Items of the runs that gave memory back, and of the runs before them.</summary>
        public List<(int Items, int Before)> Releases { get; } = [];

        public ModelInfo Model { get; } = new(new ModelManifest
        {
            Name = "timed",
            Kind = ModelKind.Image,
            Input = new() { Width = 1, Height = 1 },
            Dimension = 2,
            MaxBatch = 32,
            Sha256 = new string('0', 64),
        });

        public int MaxBatch => 32;

        public int MultiThreadedRuns => 1;

        public int SingleThreadedRuns => 0;

        public string ExecutionProvider => "fake";

        public IReadOnlyList<string> Notices => [];

        private int Last { get; set; }

        public BatchTensor CreateTensor()
        {
            TensorsCreated++;
            return new(new TensorLayout(Model.Manifest.Input, 2, HalfInput: false, HalfOutput: false, OutputShape: null), MaxBatch);
        }

        public void Run(int slot, BatchTensor tensor, int first, int count) => Time.Advance(Duration(count));

        public void Try(int slot, BatchTensor tensor, int count, bool releaseMemory, CancellationToken cancellationToken)
        {
            Sizes.Add(count);
            Token = cancellationToken;
            if (Fails)
            {
                throw new InvalidOperationException("failed");
            }
            Advance(Duration(count) / 2);
            Trying();
            if (cancellationToken.IsCancellationRequested)
            {
                Interrupted++;
                throw new OperationCanceledException(cancellationToken);
            }
            Advance(Duration(count) / 2);
            if (releaseMemory)
            {
                Releases.Add((count, Last));
            }
            Last = count;
        }

        public void Finish(Span<float> vector)
        {
        }

        public void Dispose()
        {
        }

        private void Advance(TimeSpan duration)
        {
            Time.Advance(duration);
            Tried += duration;
        }

        private TimeSpan Duration(int count) => TimeSpan.FromMilliseconds(
            count * millisecondsPerItem * Math.Pow(1.2, Math.Abs(Math.Log2(count) - Math.Log2(best))));
    }
}
