using Embeddings.Core.Models;
using Microsoft.ML.OnnxRuntime;
using OrtSessionOptions = Microsoft.ML.OnnxRuntime.SessionOptions;

namespace Embeddings.Core.Inference;

/// <summary>
/// The sessions of one model. ONNX Runtime would let several callers run in one session, but they would share its one pool of threads and disturb each
/// other; separate sessions split the processors cleanly, at the price of one copy of the weights each. Narrow runs have no pool to share: a session whose
/// runs have one thread each, their caller's, serves all of them with one copy.
/// </summary>
internal sealed class RuntimeSessions : IDisposable
{
    // By slot: the wide sessions, then the narrow one as often as it has runs.
    private readonly InferenceSession[] _slots;
    // A run holds its slot's lock, so that disposal waits for it instead of pulling the memory from under it. Callers have a slot each: no waiting.
    private readonly Lock[] _locks;
    private readonly RunOptions _runOptions;
    private bool _disposed;

    /// <exception cref="ModelException">ONNX Runtime cannot load the file.</exception>
    public RuntimeSessions(string file, InferenceOptions options, SessionPlan plan)
    {
        Provider = ProviderSetup.Word(options.Provider);
        Plan = plan;
        _slots = new InferenceSession[plan.Sessions + plan.NarrowRuns];
        _locks = [.. _slots.Select(_ => new Lock())];
        // What a run throws is reported to its caller; on stderr as well it would let anyone fill the log.
        _runOptions = new RunOptions { LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL };
        try
        {
            Open(file, options);
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

    /// <summary>Any of them, for its description.</summary>
    public InferenceSession First => _slots[0];

    /// <summary>Calls <paramref name="run"/> with the session of a slot (<see cref="IEmbeddingModel.Run"/>), which stays alive meanwhile.</summary>
    public void Use<T>(int slot, T state, Action<InferenceSession, RunOptions, T> run)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(slot);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(slot, _slots.Length);
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
                // A session of several slots goes with the last of them: in the others no run is left by then, and none begins.
                if (Array.LastIndexOf(_slots, _slots[i]) == i)
                {
                    _slots[i]?.Dispose();
                }
            }
        }
        _runOptions.Dispose();
    }

    private void Open(string file, InferenceOptions options)
    {
        if (ProviderSetup.Missing(options.Provider) is { } why)
        {
            throw new NotSupportedException(why);
        }
        using var wide = Configure(options, Plan.IntraOpThreads, options.Spinning);
        ProviderSetup.Append(wide, options);
        for (var i = 0; i < Plan.Sessions; i++)
        {
            // By path, not by bytes: weights in a .onnx.data file beside it are found, and the file is mapped, not copied.
            _slots[i] = new InferenceSession(file, wide);
        }
        if (Plan.NarrowRuns > 0)
        {
            using var narrow = Configure(options, intraOpThreads: 1, spinning: false);
            ProviderSetup.Append(narrow, options);
            Array.Fill(_slots, new InferenceSession(file, narrow), Plan.Sessions, Plan.NarrowRuns);
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
