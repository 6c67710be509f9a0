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

    /// <summary>Port of gRPC (HTTP/2 without TLS, "h2c").</summary>
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
