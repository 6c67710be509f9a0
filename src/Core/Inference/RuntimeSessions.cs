using Embeddings.Core.Models;
using Microsoft.ML.OnnxRuntime;
using OrtSessionOptions = Microsoft.ML.OnnxRuntime.SessionOptions;

namespace Embeddings.Core.Inference;

/// <summary>
/// The sessions of one model. ONNX Runtime would let several callers run in one session, but they would share its one pool of threads and disturb each
/// other; separate sessions split the processors cleanly, at the price of one copy of the weights each. Single-threaded runs have no pool to share: one
/// session whose runs use their caller's thread serves all of them with one copy. That session is opened in the background when the load first needs it, so
/// that neither the start nor an idle server pays for the second copy; until it is there, its runs use the first session.
/// </summary>
internal sealed class RuntimeSessions : IDisposable
{
    // By slot: the multi-threaded sessions, then the single-threaded one once for each of its runs (until it is open, the first session).
    private readonly InferenceSession[] _slots;
    // A run holds its slot's lock, so that disposal waits for it instead of pulling the memory from under it. Callers have a slot each: no waiting.
    private readonly Lock[] _locks;
    private readonly RunOptions _runOptions;
    private readonly string _file;
    private readonly InferenceOptions _options;
    private int _opening;
    private bool _disposed;

    /// <exception cref="ModelException">ONNX Runtime cannot load the file.</exception>
    public RuntimeSessions(string file, InferenceOptions options, SessionPlan plan)
    {
        Provider = ProviderSetup.Word(options.Provider);
        Plan = plan;
        _file = file;
        _options = options;
        _slots = new InferenceSession[plan.Sessions + plan.NarrowRuns];
        _locks = [.. _slots.Select(_ => new Lock())];
        // What a run throws is reported to its caller; on stderr as well it would let anyone fill the log.
        _runOptions = new RunOptions { LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL };
        try
        {
            Open();
        }
        catch (Exception e) when (e is OnnxRuntimeException or EntryPointNotFoundException or DllNotFoundException or NotSupportedException)
        {
            Dispose();
            throw new ModelException(file, $"ONNX Runtime cannot load it{(options.Provider == ExecutionProvider.Cpu ? "" : $" on {ProviderSetup.Word(options.Provider)}")}: {e.Message}", e);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>What really runs it, for example <c>cpu</c>.</summary>
    public string Provider { get; }

    /// <summary>How many there are.</summary>
    public SessionPlan Plan { get; }

    /// <summary>Completes when the session of the single-threaded runs is open or has failed to open; completed until the first of those runs.</summary>
    public Task Opened { get; private set; } = Task.CompletedTask;

    /// <summary>Why the session of the single-threaded runs could not be opened, so that they stay on the first session; null if it was, or was not needed.</summary>
    public string? Failure { get; private set; }

    /// <summary>Any of them, for its description.</summary>
    public InferenceSession First => _slots[0];

    /// <summary>Calls <paramref name="run"/> with the session of a slot (<see cref="IEmbeddingModel.Run"/>), which stays alive meanwhile.</summary>
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
            run(_slots[slot], _runOptions, state);
        }
    }

    public void Dispose()
    {
        for (var i = 0; i < _slots.Length; i++)
        {
            lock (_locks[i])
            {
                _disposed = true;
            }
        }
        // No run is left by now, and none begins. A session may have several slots.
        foreach (var session in _slots.Distinct())
        {
            session?.Dispose();
        }
        _runOptions.Dispose();
    }

    private void Open()
    {
        if (ProviderSetup.Missing(_options.Provider) is { } why)
        {
            throw new NotSupportedException(why);
        }
        using var multiThreaded = Configure(_options, Plan.IntraOpThreads, _options.Spinning);
        ProviderSetup.Append(multiThreaded, _options);
        for (var i = 0; i < Plan.Sessions; i++)
        {
            // By path, not by bytes: weights in a .onnx.data file beside it are found, and the file is mapped, not copied.
            _slots[i] = new InferenceSession(_file, multiThreaded);
        }
        Array.Fill(_slots, _slots[0], Plan.Sessions, Plan.NarrowRuns);
    }

    private void OpenSingleThreaded()
    {
        InferenceSession session;
        try
        {
            using var options = Configure(_options, intraOpThreads: 1, spinning: false);
            ProviderSetup.Append(options, _options);
            session = new InferenceSession(_file, options);
        }
        catch (Exception e)
        {
            Failure = $"the session of its single-threaded runs could not be opened, so all runs share the first one: {e.Message}";
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

    private static OrtSessionOptions Configure(InferenceOptions options, int intraOpThreads, bool spinning)
    {
        var sessionOptions = new OrtSessionOptions
        {
            IntraOpNumThreads = intraOpThreads,
            InterOpNumThreads = options.InterOpThreads,
            ExecutionMode = options.InterOpThreads > 1 ? ExecutionMode.ORT_PARALLEL : ExecutionMode.ORT_SEQUENTIAL,
            GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_ALL,
            LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR,
        };
        sessionOptions.AddSessionConfigEntry("session.intra_op.allow_spinning", spinning ? "1" : "0");
        sessionOptions.AddSessionConfigEntry("session.inter_op.allow_spinning", spinning ? "1" : "0");
        // Long enough for the next operator of a run to find them awake; at ONNX Runtime's own millisecond, requests would wait for the processors instead.
        sessionOptions.AddSessionConfigEntry("session.intra_op.spin_duration_us", "50");
        // An operator's work is cut into smaller and smaller pieces, not one for each thread: a thread whose processor a request borrows holds up no other.
        sessionOptions.AddSessionConfigEntry("session.dynamic_block_base", "4");
        return sessionOptions;
    }
}
