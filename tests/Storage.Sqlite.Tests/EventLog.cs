using Microsoft.Extensions.Logging;

namespace Embeddings.Storage.Sqlite.Tests;

/// <summary>The events that the store has logged.</summary>
internal sealed class EventLog : ILogger<EmbeddedVectorStore>
{
    private readonly List<(int Id, string Text)> _events = [];

    /// <summary>Texts of the events with this id.</summary>
    public IReadOnlyList<string> Texts(int id)
    {
        lock (_events)
        {
            return [.. _events.Where(item => item.Id == id).Select(item => item.Text)];
        }
    }

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        lock (_events)
        {
            _events.Add((eventId.Id, formatter(state, exception)));
        }
    }
}
