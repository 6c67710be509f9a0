using System.Collections.Concurrent;

namespace Embeddings.Server.Hosting;

/// <summary>
/// Limits log events that repeat: after a warning or an error with an exception, further ones of its kind are counted
/// instead of logged for a minute, and then the count is logged. Otherwise a full disk would fill the log with the same
/// stack trace.
/// </summary>
internal sealed class RepeatedEvents(ILoggerFactory factory, TimeProvider time) : ILoggerFactory
{
    /// <summary>Time after an event during which further ones of its kind are counted.</summary>
    public static readonly TimeSpan Window = TimeSpan.FromMinutes(1);

    public ILogger CreateLogger(string categoryName)
    {
        var logger = factory.CreateLogger(categoryName);
        return categoryName.StartsWith("Embeddings.", StringComparison.Ordinal) ? new Limited(logger, time) : logger;
    }

    public void AddProvider(ILoggerProvider provider) => factory.AddProvider(provider);

    // The container disposes the factory.
    public void Dispose()
    {
    }

    private sealed class Limited(ILogger logger, TimeProvider time) : ILogger
    {
        private readonly ConcurrentDictionary<(int Id, Type? Exception), Kind> _kinds = [];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => logger.BeginScope(state);

        public bool IsEnabled(LogLevel logLevel) => logger.IsEnabled(logLevel);

        public void Log<TState>(
            LogLevel logLevel,
            EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter)
        {
            var repeats = logLevel >= LogLevel.Warning && (exception is not null || ServerLog.IsFromClients(eventId.Id));
            if (!repeats
                || _kinds.GetOrAdd((eventId.Id, exception?.GetType()), _ => new(logger, eventId.Name, time)).TryEnter())
            {
                logger.Log(logLevel, eventId, state, exception, formatter);
            }
        }
    }

    private sealed class Kind(ILogger logger, string? name, TimeProvider time)
    {
        private readonly Lock _lock = new();
        private ITimer? _timer;
        private bool _open;
        private int _suppressed;

        /// <summary>Opens a window and returns true, or counts the event if one is open.</summary>
        public bool TryEnter()
        {
            lock (_lock)
            {
                if (_open)
                {
                    _suppressed++;
                    return false;
                }
                _open = true;
                _timer ??= time.CreateTimer(_ => Close(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
                _timer.Change(Window, Timeout.InfiniteTimeSpan);
                return true;
            }
        }

        private void Close()
        {
            int suppressed;
            lock (_lock)
            {
                suppressed = _suppressed;
                _open = false;
                _suppressed = 0;
            }
            if (suppressed > 0)
            {
                ServerLog.EventsSuppressed(logger, suppressed, name, Window.TotalSeconds);
            }
        }
    }
}
