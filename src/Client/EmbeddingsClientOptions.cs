using System.ComponentModel.DataAnnotations;
using Embeddings.V1;
using Grpc.Core;
using Grpc.Core.Interceptors;

namespace Embeddings.Client;

/// <summary>Options of an <see cref="EmbeddingsClient"/>. Validated and copied when the client is created.</summary>
public sealed record EmbeddingsClientOptions
{
    /// <summary>
    /// Addresses of the servers, each <c>host:port</c>, <c>http://host:port</c>, or <c>https://host:port</c>. The
    /// default port is 50051 and the default scheme is http (HTTP/2 without TLS). All addresses must have the same
    /// scheme. <see cref="LoadBalancing"/> controls how they are used.
    /// </summary>
    /// <value>Required: 1 to 1,024 addresses.</value>
    public IReadOnlyList<string> Addresses { get; set; } = [];

    /// <summary>
    /// Distribution of calls over several addresses. A stream stays on one server until its connection breaks.
    /// </summary>
    /// <value>Default: <see cref="LoadBalancing.RoundRobin"/>.</value>
    public LoadBalancing LoadBalancing { get; set; } = LoadBalancing.RoundRobin;

    /// <summary>
    /// Maximum number of items of one stream in flight: read from the caller but not answered. They are kept in memory
    /// for resending.
    /// </summary>
    /// <value>Default: 256. From 1 to 65,536.</value>
    [Range(1, 65_536)]
    public int MaxInFlight { get; set; } = 256;

    /// <summary>
    /// Maximum number of items of a stream that the client packs into one message, which costs less than one message per
    /// item. At most a quarter of <see cref="MaxInFlight"/> is used, so that several messages are in flight. 1 sends each
    /// item in a message of its own: required for servers of an earlier version, which do not read messages with several
    /// items and with which the stream otherwise fails with <c>PROTOCOL_VIOLATION</c>.
    /// </summary>
    /// <value>Default: 64. From 1 to 1,000.</value>
    [Range(1, StreamMessages.MaxItems)]
    public int MaxItemsPerMessage { get; set; } = 64;

    /// <summary>
    /// Maximum size of a message with several items, in bytes. A larger item is sent in a message of its own, up to
    /// <see cref="MaxMessageBytes"/>.
    /// </summary>
    /// <value>Default: 524,288. From 1 to 4,194,304, never more than <see cref="MaxMessageBytes"/>.</value>
    [Range(1, StreamMessages.MaxBytes)]
    public int MaxBytesPerMessage { get; set; } = 512 << 10;

    /// <summary>
    /// Maximum time for which an item waits for others, to be sent with them in one message. A message is sent without
    /// delay if it is full, if no item of the stream is unanswered, if <see cref="MaxInFlight"/> items are in flight, or
    /// if the source has ended.
    /// </summary>
    /// <value>Default: 2 ms. From 0 to 1 s; 0 sends at once whatever items are there.</value>
    [Range(typeof(TimeSpan), "00:00:00", "00:00:01")]
    public TimeSpan BatchDelay { get; set; } = TimeSpan.FromMilliseconds(2);

    /// <summary>
    /// Deadline of a unary call, from its start to its result, including connecting and all retries. An embedding
    /// generator waits this long for each next embedding, including all reconnects. Streams have no deadline; use
    /// cancellation.
    /// </summary>
    /// <value>Default: 30 s. From 1 ms to 1 day.</value>
    [Range(typeof(TimeSpan), "00:00:00.001", "1.00:00:00")]
    public TimeSpan Deadline { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// Maximum size of a message sent or received, in bytes. A larger message fails with RESOURCE_EXHAUSTED; in a
    /// stream, it ends the stream.
    /// </summary>
    /// <value>Default: 67,108,864. From 1,024 to 2,147,483,647.</value>
    [Range(1024, int.MaxValue)]
    public int MaxMessageBytes { get; set; } = 64 << 20;

    /// <summary>
    /// Maximum number of retries of a unary call that cannot reach a server (UNAVAILABLE). Deletions are not retried,
    /// because the number of deleted points would be wrong.
    /// </summary>
    /// <value>Default: 2. From 0 to 100; 0 disables retries.</value>
    [Range(0, 100)]
    public int MaxRetries { get; set; } = 2;

    /// <summary>
    /// Whether a call rejected by an overloaded server (RESOURCE_EXHAUSTED with RetryInfo) is retried after the
    /// requested delay, until <see cref="Deadline"/> expires.
    /// </summary>
    /// <value>Default: true.</value>
    public bool RetryOnOverload { get; set; } = true;

    /// <summary>
    /// Maximum number of consecutive attempts to reconnect a broken stream. Each response resets the count, and an
    /// attempt without unanswered items is not counted.
    /// </summary>
    /// <value>Default: 10. From 0 to 10,000; 0 disables reconnecting.</value>
    [Range(0, 10_000)]
    public int MaxReconnects { get; set; } = 10;

    /// <summary>
    /// Delay before the first retry or reconnect. It doubles with each attempt (exponential backoff); up to half of it
    /// is subtracted at random so that clients do not reconnect simultaneously.
    /// </summary>
    /// <value>Default: 100 ms. From 1 ms to 1 min.</value>
    [Range(typeof(TimeSpan), "00:00:00.001", "00:01:00")]
    public TimeSpan ReconnectDelay { get; set; } = TimeSpan.FromMilliseconds(100);

    /// <summary>Maximum delay between two attempts. Must be at least <see cref="ReconnectDelay"/>.</summary>
    /// <value>Default: 5 s. From 1 ms to 1 h.</value>
    [Range(typeof(TimeSpan), "00:00:00.001", "01:00:00")]
    public TimeSpan MaxReconnectDelay { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>Timeout for establishing a connection.</summary>
    /// <value>Default: 10 s. From 1 ms to 1 h.</value>
    [Range(typeof(TimeSpan), "00:00:00.001", "01:00:00")]
    public TimeSpan ConnectTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Idle time after which a keepalive ping is sent on a connection with open calls.</summary>
    /// <value>Default: 30 s. From 1 s to 1 day.</value>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan KeepAliveDelay { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Time to wait for the response to a keepalive ping before the connection is considered broken.</summary>
    /// <value>Default: 10 s. From 1 s to 1 h.</value>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan KeepAliveTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// API key sent with every call (<c>authorization: Bearer</c>). Over http, it is only sent to this machine: an address of another
    /// machine must be https. In a network that encrypts by itself, use <see cref="CallCredentials"/>.
    /// </summary>
    /// <value>Default: null. Printable ASCII characters without spaces.</value>
    public string? ApiKey { get; set; }

    /// <summary>
    /// PEM file of the certificate authorities to trust instead of the system's. It is read when the client is created.
    /// </summary>
    /// <value>Default: null. Requires https addresses.</value>
    public string? CaFile { get; set; }

    /// <summary>
    /// PEM file of the client certificate, followed by its intermediate certificates, for servers that ask for one. It is read when the
    /// client is created.
    /// </summary>
    /// <value>Default: null. Requires https addresses.</value>
    public string? ClientCertificateFile { get; set; }

    /// <summary>PEM file of the private key of <see cref="ClientCertificateFile"/>; null if that file contains the key.</summary>
    /// <value>Default: null.</value>
    public string? ClientKeyFile { get; set; }

    /// <summary>
    /// Headers sent with every call, for example a tenant id. Names consist of lowercase letters, digits, <c>-</c>,
    /// <c>_</c>, and <c>.</c>; values are printable ASCII. Names that start with <c>grpc-</c> or end with <c>-bin</c> are
    /// reserved.
    /// </summary>
    /// <value>Default: none.</value>
    public IReadOnlyDictionary<string, string> Headers { get; set; } = new Dictionary<string, string>();

    /// <summary>
    /// Credentials added to every call and every new connection of a stream, for example an access token from a token
    /// provider: <see cref="Grpc.Core.CallCredentials.FromInterceptor"/>. They are also sent without TLS, so use https
    /// outside a trusted network.
    /// </summary>
    /// <value>Default: null.</value>
    public CallCredentials? CallCredentials { get; set; }

    /// <summary>Interceptors of all calls. The first one is the outermost.</summary>
    /// <value>Default: none.</value>
    public IReadOnlyList<Interceptor> Interceptors { get; set; } = [];

    /// <summary>
    /// Customizes the HTTP handler after the client has configured it, for example to set a client certificate of the system's store.
    /// </summary>
    /// <value>Default: null.</value>
    public Action<SocketsHttpHandler>? ConfigureHandler { get; set; }

    /// <summary>
    /// HTTP handler to use instead of one of the client's own, for example that of an ASP.NET Core <c>TestServer</c>.
    /// Requires exactly one address and excludes <see cref="ConfigureHandler"/>; the connection options do not apply.
    /// The client does not dispose of it.
    /// </summary>
    /// <value>Default: null.</value>
    public HttpMessageHandler? HttpHandler { get; set; }
}

/// <summary>Distribution of calls over several addresses.</summary>
public enum LoadBalancing
{
    /// <summary>Each call or stream is sent to the next reachable server.</summary>
    RoundRobin = 0,

    /// <summary>All calls are sent to the first reachable server, in the order of the addresses.</summary>
    PickFirst = 1,
}
