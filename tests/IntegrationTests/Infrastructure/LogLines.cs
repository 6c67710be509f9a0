using System.Collections.Concurrent;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;

namespace Embeddings.IntegrationTests.Infrastructure;

/// <summary>The log of a server, in place of the console.</summary>
internal sealed class LogLines : ILoggerProvider
{
    private readonly ConcurrentQueue<LogLine> _lines = new();

    public IReadOnlyList<LogLine> All => [.. _lines];

    /// <summary>Warnings and errors, which a server with default settings shows.</summary>
    public IReadOnlyList<LogLine> Alarms => [.. _lines.Where(line => line.Level >= LogLevel.Warning)];

    /// <summary>Replaces the providers of a server.</summary>
    public void Replace(IServiceCollection services) => services.RemoveAll<ILoggerProvider>().AddSingleton<ILoggerProvider>(this);

    public ILogger CreateLogger(string categoryName) => new Logger(categoryName, _lines);

    public void Dispose()
    {
    }

    private sealed class Logger(string category, ConcurrentQueue<LogLine> lines) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            lines.Enqueue(new(category, logLevel, eventId.Name, formatter(state, exception), exception));
    }
}

/// <summary>An event in the log.</summary>
internal sealed record LogLine(string Category, LogLevel Level, string? Event, string Text, Exception? Exception);
