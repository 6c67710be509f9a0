using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Diagnostics.Tracing;
using System.Globalization;

namespace Embeddings.Benchmarks.Tracing;

/// <summary>
/// Records when .NET's own events of gRPC, HTTP and Kestrel happen in this process, and when the server reports a run of the model. Its timestamps are those
/// of the machine, so that the records of two processes can be joined.
/// </summary>
internal sealed class EventRecorder : EventListener
{
    private const string Meter = "Embeddings";

    private static readonly HashSet<string> Sources =
    [
        "Grpc.Net.Client", "Grpc.AspNetCore.Server", "System.Net.Http", "Microsoft-AspNetCore-Server-Kestrel", "Microsoft.AspNetCore.Hosting",
    ];

    private readonly ConcurrentQueue<(long At, string Name)> _events = new();
    private readonly MeterListener _measurements = new();

    public EventRecorder()
    {
        _measurements.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name.StartsWith(Meter, StringComparison.OrdinalIgnoreCase))
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _measurements.SetMeasurementEventCallback<double>(Measured);
        _measurements.Start();
    }

    /// <summary>Everything recorded so far, by <see cref="Stopwatch"/> time; the record is empty afterwards.</summary>
    public List<(long At, string Name)> Take()
    {
        var taken = new List<(long At, string Name)>();
        while (_events.TryDequeue(out var one))
        {
            taken.Add(one);
        }
        return taken;
    }

    public void Mark(string name) => _events.Enqueue((Stopwatch.GetTimestamp(), name));

    /// <summary>Writes the record when another process creates <c>FILE.stop</c>.</summary>
    public void WriteWhenAsked(string file) => new Thread(() =>
    {
        while (!File.Exists(file + ".stop"))
        {
            Thread.Sleep(100);
        }
        File.WriteAllLines(file + ".part", Take().Select(static one => string.Create(CultureInfo.InvariantCulture, $"{one.At} {one.Name}")));
        File.Move(file + ".part", file);
    })
    { IsBackground = true }.Start();

    public static List<(long At, string Name)> Read(string file) =>
        [.. File.ReadLines(file).Select(static line => line.Split(' ', 2)).Select(static parts => (long.Parse(parts[0], CultureInfo.InvariantCulture), parts[1]))];

    public override void Dispose()
    {
        _measurements.Dispose();
        base.Dispose();
    }

    // Called by the base constructor, too, when fields are not yet set.
    protected override void OnEventSourceCreated(EventSource eventSource)
    {
        if (Sources.Contains(eventSource.Name))
        {
            EnableEvents(eventSource, EventLevel.Verbose, EventKeywords.All);
        }
    }

    protected override void OnEventWritten(EventWrittenEventArgs eventData)
    {
        var at = Stopwatch.GetTimestamp();
        if (Sources.Contains(eventData.EventSource.Name))
        {
            _events?.Enqueue((at, $"{eventData.EventSource.Name}/{eventData.EventName}"));
        }
    }

    // A stage is reported when it has ended, so that its beginning is known as well.
    private void Measured(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags, object? state)
    {
        var at = Stopwatch.GetTimestamp();
        foreach (var (_, tag) in tags)
        {
            if (tag is "inference")
            {
                _events.Enqueue((at - (long)(value * Stopwatch.Frequency), "run/begins"));
                _events.Enqueue((at, "run/ends"));
            }
        }
    }
}
