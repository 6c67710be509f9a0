using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace Embeddings.Testing;

/// <summary>Log events in order, so that a test waits for one of them instead of polling.</summary>
internal sealed class LogEvents : ILoggerProvider
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    private readonly Channel<(string? Name, string Text)> _events = Channel.CreateUnbounded<(string? Name, string Text)>();

    public ILogger CreateLogger(string categoryName) => Of<object>();

    public ILogger<T> Of<T>() => new Log<T>(this);

    /// <summary>Waits for an event whose message contains a text. Events before it are dropped.</summary>
    public async Task WaitAsync(string name, string text = "")
    {
        using var limit = new CancellationTokenSource(Limit);
        await foreach (var entry in _events.Reader.ReadAllAsync(limit.Token))
        {
            if (entry.Name == name && entry.Text.Contains(text, StringComparison.Ordinal))
            {
                return;
            }
        }
    }

    public void Dispose()
    {
    }

    private sealed class Log<T>(LogEvents owner) : ILogger<T>
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        void ILogger.Log<TState>(
            LogLevel logLevel,
            EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter) =>
            owner._events.Writer.TryWrite((eventId.Name, formatter(state, exception)));
    }
}
