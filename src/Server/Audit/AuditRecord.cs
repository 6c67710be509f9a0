using System.Text.Json;

namespace Embeddings.Server.Audit;

/// <summary>A line of the audit log before it has a number and hashes (docs/audit.md).</summary>
internal sealed record AuditRecord(string Event, DateTimeOffset Time)
{
    /// <summary>The call, unique among those of the process; null for lines about the log itself.</summary>
    public string? Call { get; init; }

    public string? Caller { get; init; }

    public string? Method { get; init; }

    /// <summary>Address of the client.</summary>
    public string? Peer { get; init; }

    public IReadOnlyCollection<string> Collections { get; init; } = [];

    /// <summary>Items of a stream; null for unary calls.</summary>
    public long? Items { get; init; }

    /// <summary>Items of a stream that failed.</summary>
    public long? Failed { get; init; }

    /// <summary>Number of ids that the request names, and their digest.</summary>
    public long? Ids { get; init; }

    public string? IdsDigest { get; init; }

    public string? Status { get; init; }

    public string? Reason { get; init; }

    public TimeSpan? Duration { get; init; }

    /// <summary>Numbers of lines about the log itself.</summary>
    public IReadOnlyList<(string Name, long Value)> Numbers { get; init; } = [];

    /// <summary>Writes the record as a JSON object.</summary>
    public void Write(Utf8JsonWriter json, long number)
    {
        json.WriteStartObject();
        json.WriteNumber("seq", number);
        json.WriteString("time", Time.UtcDateTime);
        json.WriteString("event", Event);
        Text("call", Call);
        Text("caller", Caller);
        Text("method", Method);
        Text("peer", Peer);
        if (Collections.Count > 0)
        {
            json.WriteStartArray("collections");
            foreach (var collection in Collections)
            {
                json.WriteStringValue(collection);
            }
            json.WriteEndArray();
        }
        Number("items", Items);
        Number("failed", Failed);
        Number("ids", Ids);
        Text("ids_sha256", IdsDigest);
        Text("status", Status);
        Text("reason", Reason);
        if (Duration is { } duration)
        {
            json.WriteNumber("ms", Math.Round(duration.TotalMilliseconds, 3));
        }
        foreach (var (name, value) in Numbers)
        {
            json.WriteNumber(name, value);
        }
        json.WriteEndObject();

        void Text(string name, string? value)
        {
            if (!string.IsNullOrEmpty(value))
            {
                json.WriteString(name, value);
            }
        }

        void Number(string name, long? value)
        {
            if (value is { } number)
            {
                json.WriteNumber(name, number);
            }
        }
    }
}
