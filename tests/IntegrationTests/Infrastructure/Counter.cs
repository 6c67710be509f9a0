using System.Diagnostics.Metrics;

namespace Embeddings.IntegrationTests.Infrastructure;

/// <summary>The sum of a counter of a server for some tags.</summary>
internal sealed class Counter : IDisposable
{
    private readonly MeterListener _listener = new();
    private readonly Lock _lock = new();
    private readonly List<(long Value, TaskCompletionSource Reached)> _waiting = [];
    private long _sum;

    public Counter(TestServer server, string instrument, string operation, string outcome)
        : this(server, instrument, ("operation", operation), ("outcome", outcome))
    {
    }

    public Counter(TestServer server, string instrument, params (string Name, string Value)[] expected)
    {
        // Other servers in this process have instruments with the same names, but another factory.
        var factory = server.Get<IMeterFactory>();
        _listener.InstrumentPublished = (published, listener) =>
        {
            if (published.Name == instrument && ReferenceEquals(published.Meter.Scope, factory))
            {
                listener.EnableMeasurementEvents(published);
            }
        };
        _listener.SetMeasurementEventCallback<long>((_, value, tags, _) =>
        {
            foreach (var (name, text) in expected)
            {
                if (!Has(tags, name, text))
                {
                    return;
                }
            }
            Add(value);
        });
        _listener.Start();
    }

    public long Sum
    {
        get
        {
            lock (_lock)
            {
                return _sum;
            }
        }
    }

    /// <summary>Completes when the sum is at least this value.</summary>
    public Task ReachesAsync(long value)
    {
        lock (_lock)
        {
            if (_sum >= value)
            {
                return Task.CompletedTask;
            }
            var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiting.Add((value, reached));
            return reached.Task.Bound();
        }
    }

    public void Dispose() => _listener.Dispose();

    private static bool Has(ReadOnlySpan<KeyValuePair<string, object?>> tags, string name, string value)
    {
        foreach (var tag in tags)
        {
            if (tag.Key == name && (string?)tag.Value == value)
            {
                return true;
            }
        }
        return false;
    }

    private void Add(long value)
    {
        lock (_lock)
        {
            _sum += value;
            _waiting.Where(entry => _sum >= entry.Value).ToList().ForEach(entry => entry.Reached.TrySetResult());
        }
    }
}
