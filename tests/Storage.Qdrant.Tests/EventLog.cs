using Embeddings.Testing;
using Microsoft.Extensions.Logging;

namespace Embeddings.Storage.Qdrant.Tests;

/// <summary>Passes the id and text of each event that the store logs to a test.</summary>
internal sealed class EventLog(Action<int, string> seen) : ILogger<QdrantVectorStore>
{
    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        seen(eventId.Id, formatter(state, exception));
}
