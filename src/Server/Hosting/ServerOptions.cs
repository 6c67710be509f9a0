using System.ComponentModel.DataAnnotations;
using System.Net;
using Microsoft.Extensions.Options;

namespace Embeddings.Server.Hosting;

/// <summary>Addresses and limits of the server. Section <c>Server</c>.</summary>
internal sealed record ServerOptions
{
    /// <summary>The address to listen on: an IP address, <c>localhost</c>, or <c>*</c> for all.</summary>
    /// <value>Default: <c>127.0.0.1</c>, this machine only.</value>
    [Required]
    public string Listen { get; init; } = "127.0.0.1";

    /// <summary>
    /// Permission to listen on an address that other machines can reach without TLS or without authentication: for a trusted network,
    /// or behind a proxy that does both.
    /// </summary>
    /// <value>Default: false; the server does not start.</value>
    public bool AllowInsecure { get; init; }

    /// <summary>Server reflection: descriptions of all services and messages, for tools.</summary>
    /// <value>Default: true without authentication, false with it.</value>
    public bool? Reflection { get; init; }

    /// <summary>Port of gRPC (HTTP/2); with TLS also of <c>/healthz</c> and <c>/readyz</c>.</summary>
    /// <value>Default: 50051. From 0 (any free port) to 65,535.</value>
    [Range(0, 65_535)]
    public int GrpcPort { get; init; } = 50_051;

    /// <summary>Port of <c>/healthz</c> and <c>/readyz</c> (HTTP/1.1).</summary>
    /// <value>Default: 8080. From 0 (any free port) to 65,535; -1 for none.</value>
    [Range(-1, 65_535)]
    public int HttpPort { get; init; } = 8080;

    /// <summary>
    /// Maximum size of a message, bytes. It must hold an encoded image of <c>Imaging:MaxEncodedBytes</c> and its other
    /// fields.
    /// </summary>
    /// <value>Default: 20,971,520. From 65,536 to 2,147,483,647.</value>
    [Range(65_536, int.MaxValue)]
    public int MaxMessageBytes { get; init; } = 20 << 20;

    /// <summary>
    /// Maximum size of a search response, bytes; larger ones are refused while they are made. Clients must accept this
    /// size, too; most accept 4 MiB by default. Pages of listings end below that.
    /// </summary>
    /// <value>Default: 33,554,432. From 4,194,304 to 1,073,741,824.</value>
    [Range(4 << 20, 1 << 30)]
    public int MaxResponseBytes { get; init; } = 32 << 20;

    /// <summary>
    /// Maximum size of a message of a method that takes no images, bytes; at most <see cref="MaxMessageBytes"/>. 8 MiB hold 4,000
    /// points of 512 dimensions.
    /// </summary>
    /// <value>Default: 8,388,608. From 65,536 to 2,147,483,647.</value>
    [Range(65_536, int.MaxValue)]
    public int MaxMessageBytesWithoutImages { get; init; } = 8 << 20;

    /// <summary>
    /// Maximum number of pending responses of one stream. If a client does not read them, the server stops reading its
    /// requests.
    /// </summary>
    /// <value>Default: 512. From 1 to 100,000.</value>
    [Range(1, 100_000)]
    public int MaxPendingPerStream { get; init; } = 512;

    /// <summary>Maximum number of concurrent calls on one connection; more wait at the client.</summary>
    /// <value>Default: 128. From 1 to 100,000.</value>
    [Range(1, 100_000)]
    public int MaxStreamsPerConnection { get; init; } = 128;

    /// <summary>
    /// Maximum number of connections; more are refused. At most one for each 16 MiB of the memory that the process may use, but
    /// at least 64.
    /// </summary>
    /// <value>Default: 4,096. From 1 to 1,000,000.</value>
    [Range(1, 1_000_000)]
    public int MaxConnections { get; init; } = 4096;

    /// <summary>
    /// Maximum time from the first byte of a message to its last, seconds. A call whose message takes longer fails, so
    /// that half-sent messages do not stay in memory. Also the time in which a client must accept a response while items of
    /// its last message, which has several, have not begun; a slower one is disconnected.
    /// </summary>
    /// <value>Default: 60. From 1 to 3,600.</value>
    [Range(1, 3600)]
    public int MessageReadSeconds { get; init; } = 60;

    /// <summary>
    /// Time at the start of a shutdown during which the server reports that it is not ready but still serves calls,
    /// seconds. It should be longer than the interval at which a load balancer checks the readiness.
    /// </summary>
    /// <value>Default: 0. From 0 to 3,600.</value>
    [Range(0, 3600)]
    public int DrainSeconds { get; init; }

    /// <summary>
    /// Maximum time of a shutdown after the drain, seconds. Connections that are still open after four fifths of it are
    /// closed; the rest is left for the store.
    /// </summary>
    /// <value>Default: 10. From 1 to 3,600.</value>
    [Range(1, 3600)]
    public int ShutdownSeconds { get; init; } = 10;

    /// <summary>Returns the IP address to listen on, or null if <see cref="Listen"/> is not an address.</summary>
    public static IPAddress? AddressOf(string listen) => listen switch
    {
        "*" => IPAddress.IPv6Any,
        "localhost" => IPAddress.Loopback,
        _ => IPAddress.TryParse(listen, out var address) ? address : null,
    };

    internal sealed class Validator : IValidateOptions<ServerOptions>
    {
        public ValidateOptionsResult Validate(string? name, ServerOptions options) =>
            AddressOf(options.Listen) is not null
                ? ValidateOptionsResult.Success
                : ValidateOptionsResult.Fail($"Server:Listen must be an IP address, 'localhost', or '*'; got '{options.Listen}'.");
    }
}
