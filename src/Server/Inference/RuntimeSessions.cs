using Microsoft.ML.OnnxRuntime;
using OrtSessionOptions = Microsoft.ML.OnnxRuntime.SessionOptions;

namespace Embeddings.Server.Inference;

/// <summary>
/// The sessions of one model. ONNX Runtime would let several callers run in one session, but they would share its one pool of threads and disturb each
/// other; separate sessions split the processors cleanly, at the price of one copy of the weights each.
/// </summary>
internal sealed class RuntimeSessions : IDisposable
{
    private readonly InferenceSession[] _sessions;
    // A run holds its session's lock, so that disposal waits for it instead of pulling the memory from under it. Callers have a session each: no waiting.
    private readonly Lock[] _locks;
    private readonly RunOptions _runOptions;
    private bool _disposed;

    /// <exception cref="ModelException">ONNX Runtime cannot load the file.</exception>
    public RuntimeSessions(string file, InferenceOptions options, SessionPlan plan)
    {
        Provider = ProviderSetup.Word(options.Provider);
        _locks = [.. Enumerable.Range(0, plan.Sessions).Select(_ => new Lock())];
        _sessions = new InferenceSession[plan.Sessions];
        // What a run throws is reported to its caller; on stderr as well it would let anyone fill the log.
        _runOptions = new RunOptions { LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL };
        try
        {
            Open(file, options, plan);
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

    public int Count => _sessions.Length;

    /// <summary>Any of them, for its description.</summary>
    public InferenceSession First => _sessions[0];

    /// <summary>Calls <paramref name="run"/> with a session that stays alive meanwhile.</summary>
    public void Use<T>(int session, T state, Action<InferenceSession, RunOptions, T> run)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(session);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(session, _sessions.Length);
        lock (_locks[session])
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            run(_sessions[session], _runOptions, state);
        }
    }

    public void Dispose()
    {
        for (var i = 0; i < _sessions.Length; i++)
        {
            lock (_locks[i])
            {
                _disposed = true;
                _sessions[i]?.Dispose();
            }
        }
        _runOptions.Dispose();
    }

    private void Open(string file, InferenceOptions options, SessionPlan plan)
    {
        if (ProviderSetup.Missing(options.Provider) is { } why)
        {
            throw new NotSupportedException(why);
        }
        using var sessionOptions = Configure(options, plan);
        ProviderSetup.Append(sessionOptions, options);
        for (var i = 0; i < _sessions.Length; i++)
        {
            // By path, not by bytes: weights in a .onnx.data file beside it are found, and the file is mapped, not copied.
            _sessions[i] = new InferenceSession(file, sessionOptions);
        }
    }

    private static OrtSessionOptions Configure(InferenceOptions options, SessionPlan plan)
    {
        var sessionOptions = new OrtSessionOptions
        {
            IntraOpNumThreads = plan.IntraOpThreads,
            InterOpNumThreads = options.InterOpThreads,
            ExecutionMode = options.InterOpThreads > 1 ? ExecutionMode.ORT_PARALLEL : ExecutionMode.ORT_SEQUENTIAL,
            GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_ALL,
            LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR,
        };
        sessionOptions.AddSessionConfigEntry("session.intra_op.allow_spinning", options.Spinning ? "1" : "0");
        sessionOptions.AddSessionConfigEntry("session.inter_op.allow_spinning", options.Spinning ? "1" : "0");
        // Long enough for the next operator of a run to find them awake; at ONNX Runtime's own millisecond, requests would wait for the processors instead.
        sessionOptions.AddSessionConfigEntry("session.intra_op.spin_duration_us", "50");
        // An operator's work is cut into smaller and smaller pieces, not one for each thread: a thread whose processor a request borrows holds up no other.
        sessionOptions.AddSessionConfigEntry("session.dynamic_block_base", "4");
        return sessionOptions;
    }
}
