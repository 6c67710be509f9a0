using Embeddings.Core.Models;
using Microsoft.ML.OnnxRuntime;
using OrtSessionOptions = Microsoft.ML.OnnxRuntime.SessionOptions;

namespace Embeddings.Core.Inference;

/// <summary>
/// The sessions of one model in ONNX Runtime. Several callers could run in one session, but they would share its one pool of
/// threads and disturb each other; separate sessions split the processors cleanly, at the price of one copy of the weights
/// each. Single-threaded runs have no pool to share: one session whose runs use their caller's thread serves all of them with
/// one copy. That session is opened in the background when the load first needs it, so that neither the start nor an idle
/// server pays for the second copy; until it is open, its runs use the first session.
/// </summary>
internal sealed class RuntimeSessions : IDisposable
{
    // By slot: the multi-threaded sessions, then the single-threaded one once for each of its runs (until it is open, the
    // first session).
    private readonly InferenceSession[] _slots;
    // A run holds its slot's lock, so that disposal waits for it instead of freeing its memory. Each caller has its own slot:
    // the locks are not contended.
    private readonly Lock[] _locks;
    private readonly RunOptions _runOptions;
    private readonly string _file;
    private readonly InferenceOptions _options;
    private readonly CacheEntry? _known;
    private int _opening;
    private bool _disposed;

    /// <param name="file">Path of the model file.</param>
    /// <param name="options">Settings of the sessions.</param>
    /// <param name="plan">Their number and threads.</param>
    /// <param name="known">Has the model's optimized graph, which is loaded instead; null to optimize the model.</param>
    /// <param name="saveTo">Path to write the optimized graph to; null not to write it.</param>
    /// <exception cref="ModelException">ONNX Runtime cannot load or write a file.</exception>
    public RuntimeSessions(
        string file, InferenceOptions options, SessionPlan plan, CacheEntry? known = null, string? saveTo = null)
    {
        Provider = ProviderSetup.Word(options.Provider);
        Plan = plan;
        _file = file;
        _options = options;
        _known = known;
        _slots = new InferenceSession[plan.Sessions + plan.SingleThreadedRuns];
        _locks = [.. _slots.Select(_ => new Lock())];
        // The caller gets the error of a run; on standard error as well, a client could fill the log with it.
        _runOptions = new RunOptions { LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL };
        try
        {
            Open(saveTo);
        }
        catch (Exception e) when (
            e is OnnxRuntimeException or EntryPointNotFoundException or DllNotFoundException or NotSupportedException)
        {
            Dispose();
            throw new ModelException(file, $"ONNX Runtime cannot load it on {Provider}: {e.Message}", e);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>
    /// Loads the native library, which takes a tenth of a second, ahead of the first session. Reports no error: the
    /// first session reports the same one with the model's name.
    /// </summary>
    public static void LoadRuntime() => OrtEnv.Instance();

    /// <summary>The execution provider in use, for example <c>cpu</c>.</summary>
    public string Provider { get; }

    /// <summary>Number of sessions and threads.</summary>
    public SessionPlan Plan { get; }

    /// <summary>
    /// Completes when the session of the single-threaded runs is open or has failed to open; completed until the first of
    /// those runs.
    /// </summary>
    public Task Opened { get; private set; } = Task.CompletedTask;

    /// <summary>
    /// Reason why the session of the single-threaded runs could not be opened, so that they stay on the first session; null
    /// if it was opened or not needed.
    /// </summary>
    public string? Failure { get; private set; }

    /// <summary>The first session, for its description.</summary>
    public InferenceSession First => _slots[0];

    /// <summary>
    /// Calls <paramref name="run"/> with the session of a slot (<see cref="IEmbeddingSession.Run"/>), which stays alive during
    /// the call.
    /// </summary>
    public void Use<T>(int slot, T state, Action<InferenceSession, RunOptions, T> run)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(slot);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(slot, _slots.Length);
        if (slot >= Plan.Sessions && Interlocked.Exchange(ref _opening, 1) == 0)
        {
            Opened = Task.Run(OpenSingleThreaded);
        }
        lock (_locks[slot])
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            using var flushing = DenormalNumbers.Flush();
            run(_slots[slot], _runOptions, state);
        }
    }

    /// <summary>
    /// Ends all runs, now and later: they fail with an exception of the runtime, which looks between two operators.
    /// </summary>
    public void Terminate() => _runOptions.Terminate = true;

    public void Dispose()
    {
        for (var i = 0; i < _slots.Length; i++)
        {
            lock (_locks[i])
            {
                _disposed = true;
            }
        }
        // No runs are left, and none starts. A session may have several slots.
        foreach (var session in _slots.Distinct())
        {
            session?.Dispose();
        }
        _runOptions.Dispose();
    }

    private void Open(string? saveTo)
    {
        if (ProviderSetup.Missing(_options.Provider) is { } reason)
        {
            throw new NotSupportedException(reason);
        }
        using var multiThreaded = Configure(Plan.IntraOpThreads, _options.Spinning, isOptimized: _known is not null);
        if (saveTo is not null)
        {
            multiThreaded.OptimizedModelFilePath = saveTo;
            // In a file of their own the weights are mapped, not copied.
            multiThreaded.AddSessionConfigEntry(
                "session.optimized_model_external_initializers_file_name", CacheEntry.DataOf(saveTo));
            multiThreaded.AddSessionConfigEntry("session.optimized_model_external_initializers_min_size_in_bytes", "1024");
        }
        // ONNX Runtime changes the thread that creates the first session of the process; this restores it.
        using var flushing = DenormalNumbers.Flush();
        for (var i = 0; i < Plan.Sessions; i++)
        {
            // By path, not by bytes: external weight files are found, and the file is mapped, not copied.
            _slots[i] = new InferenceSession(_known?.Graph ?? _file, multiThreaded);
        }
        Array.Fill(_slots, _slots[0], Plan.Sessions, Plan.SingleThreadedRuns);
    }

    private void OpenSingleThreaded()
    {
        InferenceSession session;
        try
        {
            // It was checked when the model was loaded, which may be long ago.
            var isOptimized = _known is not null && _known.IsIntact();
            using var options = Configure(intraOpThreads: 1, spinning: false, isOptimized);
            using var flushing = DenormalNumbers.Flush();
            session = new InferenceSession(isOptimized ? _known!.Graph! : _file, options);
        }
        catch (Exception e)
        {
            Failure = "the session of its single-threaded runs could not be opened, so that all runs share the first one: "
                + e.Message;
            return;
        }
        var used = false;
        for (var i = Plan.Sessions; i < _slots.Length; i++)
        {
            lock (_locks[i])
            {
                if (!_disposed)
                {
                    _slots[i] = session;
                    used = true;
                }
            }
        }
        if (!used)
        {
            session.Dispose();
        }
    }

    private OrtSessionOptions Configure(int intraOpThreads, bool spinning, bool isOptimized)
    {
        var sessionOptions = new OrtSessionOptions
        {
            IntraOpNumThreads = intraOpThreads,
            InterOpNumThreads = _options.InterOpThreads,
            ExecutionMode = _options.InterOpThreads > 1 ? ExecutionMode.ORT_PARALLEL : ExecutionMode.ORT_SEQUENTIAL,
            GraphOptimizationLevel = isOptimized
                ? GraphOptimizationLevel.ORT_DISABLE_ALL
                : GraphOptimizationLevel.ORT_ENABLE_ALL,
            LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR,
        };
        sessionOptions.AddSessionConfigEntry("session.intra_op.allow_spinning", spinning ? "1" : "0");
        sessionOptions.AddSessionConfigEntry("session.inter_op.allow_spinning", spinning ? "1" : "0");
        sessionOptions.AddSessionConfigEntry(DenormalNumbers.Setting, "1");
        // Long enough for the next operator of a run to find them awake; with ONNX Runtime's default of a millisecond, requests
        // would wait for the processors instead.
        sessionOptions.AddSessionConfigEntry("session.intra_op.spin_duration_us", "50");
        // An operator's work is cut into smaller and smaller pieces, not one per thread: a thread whose processor a request
        // takes does not hold up the others.
        sessionOptions.AddSessionConfigEntry("session.dynamic_block_base", "4");
        ProviderSetup.Append(sessionOptions, _options);
        return sessionOptions;
    }
}

/// <summary>Number of sessions of a model, their threads, and the number of single-threaded runs besides.</summary>
/// <param name="Sessions">Sessions with threads of their own, one run at a time each; at least 1.</param>
/// <param name="IntraOpThreads">Threads of each session, at least 1.</param>
/// <param name="SingleThreadedRuns">
/// Concurrent single-threaded runs, all in one more session; 0 for none. Only with a single session.
/// </param>
internal readonly record struct SessionPlan(int Sessions, int IntraOpThreads, int SingleThreadedRuns = 0)
{
    // Beyond about eight threads the operators of a small model spend more time on synchronization than on work.
    private const int UsefulThreads = 8;

    // Single-threaded runs cost a second copy of the weights for about a tenth more throughput: not worth more memory than
    // this.
    private const long MaxCopiedBytes = 256L << 20;

    /// <summary>Number of copies of the weights in memory.</summary>
    public int Copies => SingleThreadedRuns > 0 ? Sessions + 1 : Sessions;

    /// <param name="options">The operator's settings.</param>
    /// <param name="oneAtATime">
    /// True if the model's largest batch is 1: then throughput comes from concurrent runs, not from threads.
    /// </param>
    /// <param name="processors">Processors of the machine, at least 1.</param>
    /// <param name="bytes">Size of the model's files together.</param>
    public static SessionPlan For(InferenceOptions options, bool oneAtATime, int processors, long bytes)
    {
        // With all threads a single call finishes soonest; under load one run on each processor loses no time on
        // synchronization.
        if (options is { Sessions: 0, IntraOpThreads: 0, InterOpThreads: 1, Provider: ExecutionProvider.Cpu }
            && processors is > 1 and <= UsefulThreads && bytes <= MaxCopiedBytes)
        {
            return new(1, processors, processors);
        }
        var automatic = oneAtATime ? Math.Min(processors, UsefulThreads) : (processors + UsefulThreads - 1) / UsefulThreads;
        var sessions = options.Sessions > 0 ? options.Sessions : Math.Clamp(automatic, 1, 64);
        return new(sessions, options.IntraOpThreads > 0 ? options.IntraOpThreads : Math.Max(1, processors / sessions));
    }
}
