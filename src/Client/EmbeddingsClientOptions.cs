using System.ComponentModel.DataAnnotations;

namespace Embeddings.Client;

/// <summary>How an <see cref="EmbeddingsClient"/> reaches its servers. Checked when the client is made; immutable after it.</summary>
public sealed record EmbeddingsClientOptions
{
    /// <summary>
    /// The servers, each <c>host:port</c>, <c>http://host:port</c> or <c>https://host:port</c>; the port is 50051 where none is given. All of one scheme;
    /// without one it is http (HTTP/2 without TLS). Several are used as <see cref="LoadBalancing"/> says.
    /// </summary>
    /// <value>Required: at least 1, at most 1,024.</value>
    [Required, MinLength(1), MaxLength(1024)]
    public IReadOnlyList<string> Addresses { get; init; } = [];

    /// <summary>How calls are spread over several addresses. Each stream stays on the server it was opened at until that connection breaks.</summary>
    /// <value>Default: <see cref="LoadBalancing.RoundRobin"/>.</value>
    [EnumDataType(typeof(LoadBalancing))]
    public LoadBalancing LoadBalancing { get; init; } = LoadBalancing.RoundRobin;

    /// <summary>The most items of one stream that are taken from the caller and not answered yet. They are kept in memory to be sent again.</summary>
    /// <value>Default: 256. From 1 to 65,536.</value>
    [Range(1, 65_536)]
    public int MaxInFlight { get; init; } = 256;

    /// <summary>The time one unary call may take, its retries included. Streams have none: cancel them.</summary>
    /// <value>Default: 30 s. From 1 ms to 1 day.</value>
    [Range(typeof(TimeSpan), "00:00:00.001", "1.00:00:00")]
    public TimeSpan Deadline { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>The largest message sent or received, bytes. A larger one fails with RESOURCE_EXHAUSTED; in a stream it ends the stream.</summary>
    /// <value>Default: 67,108,864. From 1,024 to 2,147,483,647.</value>
    [Range(1024, int.MaxValue)]
    public int MaxMessageBytes { get; init; } = 64 << 20;

    /// <summary>
    /// How often a call that cannot reach a server (UNAVAILABLE) is tried again. Only for calls whose answer is the same the second time: not for
    /// deletions.
    /// </summary>
    /// <value>Default: 2. From 0 to 100; 0 never retries.</value>
    [Range(0, 100)]
    public int MaxRetries { get; init; } = 2;

    /// <summary>
    /// Whether a call that a full server refuses (RESOURCE_EXHAUSTED with RetryInfo) waits as long as it says and tries again, until <see
    /// cref="Deadline"/>.
    /// </summary>
    /// <value>Default: true.</value>
    public bool RetryOnOverload { get; init; } = true;

    /// <summary>How often in a row a broken stream is opened anew without getting a single answer. Every answer starts the count again.</summary>
    /// <value>Default: 10. From 0 to 10,000; 0 never reconnects.</value>
    [Range(0, 10_000)]
    public int MaxReconnects { get; init; } = 10;

    /// <summary>
    /// The wait before the first retry or reconnect. It doubles with each; a random half of it is left out so that clients do not come back all at once.
    /// </summary>
    /// <value>Default: 100 ms. From 1 ms to 1 min.</value>
    [Range(typeof(TimeSpan), "00:00:00.001", "00:01:00")]
    public TimeSpan ReconnectDelay { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>The longest wait between two tries; not below <see cref="ReconnectDelay"/>.</summary>
    /// <value>Default: 5 s. From 1 ms to 1 h.</value>
    [Range(typeof(TimeSpan), "00:00:00.001", "01:00:00")]
    public TimeSpan MaxReconnectDelay { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>The longest wait for a connection to be made.</summary>
    /// <value>Default: 10 s. From 1 ms to 1 h.</value>
    [Range(typeof(TimeSpan), "00:00:00.001", "01:00:00")]
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a connection with open calls may be silent until it is asked for a sign of life.</summary>
    /// <value>Default: 30 s. From 1 s to 1 day.</value>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan KeepAliveDelay { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long that sign of life may take until the connection counts as broken.</summary>
    /// <value>Default: 10 s. From 1 s to 1 h.</value>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan KeepAliveTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Last word on the HTTP handler, for example to set client certificates.</summary>
    /// <value>Default: null.</value>
    public Action<SocketsHttpHandler>? ConfigureHandler { get; init; }
}
