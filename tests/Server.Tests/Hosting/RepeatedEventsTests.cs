using Embeddings.Server.Hosting;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace Embeddings.Server.Tests.Hosting;

/// <summary>Faults of the server that repeat: one stack trace and a count per minute.</summary>
public sealed class RepeatedEventsTests : IAsyncDisposable
{
    private readonly FakeTimeProvider _time = new();
    private readonly List<string> _lines = [];
    private readonly WebApplication _app;

    // The loggers of a server.
    public RepeatedEventsTests() => _app = EmbeddingsServer.Create(
        ["--Models:UseDefaults=false", "--Store:Embedded:Directory=unused"],
        services => services
            .RemoveAll<ILoggerProvider>()
            .AddSingleton<ILoggerProvider>(new Provider(_lines))
            .AddSingleton<TimeProvider>(_time));

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();

    [Fact]
    public void A_fault_that_repeats_is_logged_once_a_minute_with_the_count_of_the_others()
    {
        var log = Logger("Embeddings.Storage.Sqlite.EmbeddedVectorStore");
        for (var minute = 0; minute < 3; minute++)
        {
            for (var i = 0; i < 1000; i++)
            {
                log.LogError(new EventId(1, "DiskFull"), new IOException("full"), "A group failed");
            }
            _time.Advance(RepeatedEvents.Window);
        }
        string[] minuteLines = ["A group failed", "999 more DiskFull events within 60 s were not logged"];
        Assert.Equal(Enumerable.Repeat(minuteLines, 3).SelectMany(lines => lines), _lines);
    }

    [Fact]
    public void Another_event_another_exception_and_an_event_after_the_minute_are_logged()
    {
        var log = Logger("Embeddings.Core");
        log.LogError(new EventId(1, "A"), new IOException(), "first");
        log.LogError(new EventId(2, "B"), new IOException(), "other event");
        log.LogError(new EventId(1, "A"), new TimeoutException(), "other exception");
        _time.Advance(RepeatedEvents.Window);
        log.LogError(new EventId(1, "A"), new IOException(), "later");
        Assert.Equal(["first", "other event", "other exception", "later"], _lines);
    }

    [Fact]
    public void Events_without_an_exception_and_of_other_libraries_are_not_limited()
    {
        for (var i = 0; i < 3; i++)
        {
            Logger("Embeddings.Core").LogWarning("notice");
            Logger("Other").LogError(new IOException(), "other");
        }
        Assert.Equal(6, _lines.Count);
    }

    private ILogger Logger(string category) => _app.Services.GetRequiredService<ILoggerFactory>().CreateLogger(category);

    private sealed class Provider(List<string> lines) : ILoggerProvider, ILogger
    {
        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (logLevel >= LogLevel.Warning)
            {
                lines.Add(formatter(state, exception));
            }
        }

        public void Dispose()
        {
        }
    }
}
