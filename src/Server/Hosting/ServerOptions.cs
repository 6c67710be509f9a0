using System.ComponentModel.DataAnnotations;

namespace Embeddings.Server.Hosting;

/// <summary>Where and how the server speaks. Section <c>Server</c>.</summary>
internal sealed record ServerOptions
{
    /// <summary>The address to listen on: an IP address, <c>localhost</c>, or <c>*</c> for all.</summary>
    /// <value>Default: <c>127.0.0.1</c>, this machine only.</value>
    [Required]
    public string Listen { get; init; } = "127.0.0.1";

    /// <summary>Port of gRPC (HTTP/2 without TLS, "h2c").</summary>
    /// <value>Default: 50051. From 0 (any free one) to 65,535.</value>
    [Range(0, 65_535)]
    public int GrpcPort { get; init; } = 50_051;

    /// <summary>Port of <c>/healthz</c> and <c>/readyz</c> (HTTP/1.1).</summary>
    /// <value>Default: 8080. From 0 (any free one) to 65,535; -1 for none.</value>
    [Range(-1, 65_535)]
    public int HttpPort { get; init; } = 8080;

    /// <summary>The largest message, bytes. Has to hold an encoded picture of <c>Imaging:MaxEncodedBytes</c> and what is sent with it.</summary>
    /// <value>Default: 20,971,520. From 65,536 to 2,147,483,647.</value>
    [Range(65_536, int.MaxValue)]
    public int MaxMessageBytes { get; init; } = 20 << 20;

    /// <summary>
    /// Answers that one stream may have pending. A client that does not read its answers is read no further than this.
    /// </summary>
    /// <value>Default: 512. From 1 to 100,000.</value>
    [Range(1, 100_000)]
    public int MaxPendingPerStream { get; init; } = 512;

    /// <summary>Streams and calls at once on one connection; more wait at the client.</summary>
    /// <value>Default: 128. From 1 to 100,000.</value>
    [Range(1, 100_000)]
    public int MaxStreamsPerConnection { get; init; } = 128;

    /// <summary>Connections at once; more are refused.</summary>
    /// <value>Default: 4,096. From 1 to 1,000,000.</value>
    [Range(1, 1_000_000)]
    public int MaxConnections { get; init; } = 4096;
}
