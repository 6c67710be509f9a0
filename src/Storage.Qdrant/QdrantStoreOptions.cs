using System.ComponentModel.DataAnnotations;

namespace Embeddings.Storage.Qdrant;

/// <summary>Options of the Qdrant store: connection, timeouts and bulk writes. Section <c>Store:Qdrant</c>.</summary>
internal sealed record QdrantStoreOptions : IValidatableObject
{
    /// <summary>Qdrant's gRPC address: <c>http://host:6334</c>, or <c>https://host:6334</c> for TLS.</summary>
    /// <value>Default: <c>http://127.0.0.1:6334</c>.</value>
    [Required(AllowEmptyStrings = false)]
    public string Url { get; init; } = "http://127.0.0.1:6334";

    /// <summary>
    /// gRPC addresses of several nodes of one cluster, used instead of <see cref="Url"/>. Calls go to the first node; if it
    /// fails, to the next one. All addresses have the same scheme.
    /// </summary>
    /// <value>Default: none.</value>
    public IReadOnlyList<string> Urls { get; init; } = [];

    /// <summary>
    /// API key sent with every call; null if Qdrant requires none. Without TLS it is sent in plain text.
    /// </summary>
    /// <value>Default: none.</value>
    public string? ApiKey { get; init; }

    /// <summary>PEM file with the certificate authorities to trust instead of the system's.</summary>
    /// <value>Default: none.</value>
    public string? CaFile { get; init; }

    /// <summary>
    /// SHA-256 thumbprint of the only server certificate to trust, hexadecimal, optionally with colons; for self-signed
    /// certificates.
    /// </summary>
    /// <value>Default: none.</value>
    [RegularExpression(
        "([0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}",
        ErrorMessage = "CertificateThumbprint must be a SHA-256 thumbprint of 64 hexadecimal digits.")]
    public string? CertificateThumbprint { get; init; }

    /// <summary>
    /// Maximum dimension of a new collection. Existing collections with a larger dimension remain usable.
    /// </summary>
    /// <value>Default: 16,384. From 1 to 65,536, Qdrant's own limit.</value>
    [Range(1, 65_536)]
    public int MaxDimension { get; init; } = CollectionSpec.DefaultMaxDimension;

    /// <summary>Acknowledgement level of an upsert.</summary>
    /// <value>Default: <c>Durable</c>.</value>
    [EnumDataType(typeof(AckLevel))]
    public AckLevel Ack { get; init; } = AckLevel.Durable;

    /// <summary>Maximum number of points in an upsert.</summary>
    /// <value>Default: 256. From 1 to 10,000.</value>
    [Range(1, 10_000)]
    public int MaxUpsertPoints { get; init; } = 256;

    /// <summary>Maximum size of an upsert in bytes; Qdrant accepts 32 MiB. A single point is never split.</summary>
    /// <value>Default: 4,194,304. From 1,024 to 31,457,280.</value>
    [Range(1024, 30 << 20)]
    public int MaxUpsertBytes { get; init; } = 4 << 20;

    /// <summary>
    /// Maximum number of upserts in flight per collection; further points wait and form the next upserts.
    /// </summary>
    /// <value>Default: 4. From 1 to 64.</value>
    [Range(1, 64)]
    public int MaxUpsertsInFlight { get; init; } = 4;

    /// <summary>
    /// Batching delay: maximum time that points wait for more points while another upsert is in flight, milliseconds.
    /// </summary>
    /// <value>Default: 20. From 0 to 10,000.</value>
    [Range(0, 10_000)]
    public int MaxUpsertDelayMs { get; init; } = 20;

    /// <summary>Timeout of one attempt of a read, seconds.</summary>
    /// <value>Default: 10. From 0.01 to 3,600.</value>
    [Range(0.01, 3600)]
    public double ReadTimeoutSeconds { get; init; } = 10;

    /// <summary>Timeout of one attempt of an upsert or deletion, seconds.</summary>
    /// <value>Default: 30. From 0.01 to 3,600.</value>
    [Range(0.01, 3600)]
    public double WriteTimeoutSeconds { get; init; } = 30;

    /// <summary>Timeout of one attempt to create or change a collection, seconds.</summary>
    /// <value>Default: 60. From 0.01 to 3,600.</value>
    [Range(0.01, 3600)]
    public double ManageTimeoutSeconds { get; init; } = 60;

    /// <summary>
    /// Retry time of a read after transient failures, seconds; 0 for no retry. The caller's deadline also ends
    /// it.
    /// </summary>
    /// <value>Default: 5. From 0 to 3,600.</value>
    [Range(0, 3600)]
    public double ReadRetrySeconds { get; init; } = 5;

    /// <summary>
    /// Retry time of a write after transient failures, seconds; 0 for no retry. Streams wait during the retries,
    /// so a restart of Qdrant within this time fails no item.
    /// </summary>
    /// <value>Default: 60. From 0 to 3,600.</value>
    [Range(0, 3600)]
    public double WriteRetrySeconds { get; init; } = 60;

    /// <summary>Delay before the first retry, milliseconds; exponential backoff with jitter up to 2 seconds.</summary>
    /// <value>Default: 50. From 1 to 2,000.</value>
    [Range(1, 2000)]
    public int RetryDelayMs { get; init; } = 50;

    /// <summary>
    /// Interval between health probes of Qdrant, seconds; at most one second while Qdrant is unavailable.
    /// </summary>
    /// <value>Default: 5. From 0.05 to 3,600.</value>
    [Range(0.05, 3600)]
    public double ProbeSeconds { get; init; } = 5;

    /// <summary>Lifetime of a cached collection (dimension and model), seconds.</summary>
    /// <value>Default: 30. From 0 to 3,600.</value>
    [Range(0, 3600)]
    public double CollectionCacheSeconds { get; init; } = 30;

    /// <summary>
    /// Maximum number of attributes per collection that the server creates payload indexes for. Indexes are created only in
    /// collections whose strict mode requires them, when an attribute is first filtered by.
    /// </summary>
    /// <value>Default: 48. From 0 to 1,000; 0 creates none.</value>
    [Range(0, 1000)]
    public int MaxIndexedAttributes { get; init; } = 48;

    /// <summary>
    /// Maximum size of a response from Qdrant in bytes. Responses are requested in parts of a few megabytes, unless
    /// another program has stored larger payloads.
    /// </summary>
    /// <value>Default: 268,435,456. From 4,194,304 to 2,147,483,647.</value>
    [Range(4 << 20, int.MaxValue)]
    public int MaxReceiveBytes { get; init; } = 256 << 20;

    /// <summary>The addresses of the nodes.</summary>
    internal IReadOnlyList<Uri> Addresses => [.. (Urls.Count > 0 ? Urls : [Url]).Select(url => new Uri(url))];

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        var name = Urls.Count > 0 ? nameof(Urls) : nameof(Url);
        var uris = new List<Uri>();
        foreach (var url in Urls.Count > 0 ? Urls : [Url])
        {
            if (Uri.TryCreate(url, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https")
            {
                uris.Add(uri);
            }
            else
            {
                yield return new($"{name} must be http://host:port or https://host:port; got '{url}'.");
            }
        }
        if (uris.DistinctBy(uri => uri.Scheme).Count() > 1)
        {
            yield return new($"Urls must all be http:// or all be https://; got {string.Join(", ", Urls)}.");
        }
        else if (uris is [{ Scheme: "http" } first, ..] && (CaFile is not null || CertificateThumbprint is not null))
        {
            yield return new($"CaFile and CertificateThumbprint require an https:// {name}; got '{first.OriginalString}'.");
        }
        if (CaFile is not null && CertificateThumbprint is not null)
        {
            yield return new("CaFile and CertificateThumbprint are mutually exclusive; remove one of them.");
        }
        if (CaFile is not null && !File.Exists(CaFile))
        {
            yield return new($"CaFile '{CaFile}' does not exist.");
        }
    }
}

/// <summary>Acknowledgement levels of a write.</summary>
internal enum AckLevel
{
    /// <summary>Qdrant has applied the write: it is in the write-ahead log and visible to the next search.</summary>
    Durable,

    /// <summary>Qdrant has the write in its write-ahead log and applies it shortly afterwards.</summary>
    Accepted,
}

/// <summary>
/// Options for new collections; existing collections do not change. Section <c>Store:Qdrant:NewCollections</c>.
/// </summary>
internal sealed record QdrantCollectionOptions
{
    /// <summary>Number of shards: a small multiple of the maximum number of nodes planned.</summary>
    /// <value>Default: 1. From 1 to 1,000.</value>
    [Range(1, 1000)]
    public int Shards { get; init; } = 1;

    /// <summary>Number of copies of each shard; 2 or more survive the loss of a node.</summary>
    /// <value>Default: 1. From 1 to 100.</value>
    [Range(1, 100)]
    public int Replicas { get; init; } = 1;

    /// <summary>Number of copies that must have a write before it is acknowledged.</summary>
    /// <value>Default: 1. From 1 to 100, at most <see cref="Replicas"/>.</value>
    [Range(1, 100)]
    public int WriteConsistency { get; init; } = 1;

    /// <summary>Keeps vectors in memory-mapped files instead of in memory.</summary>
    /// <value>Default: false.</value>
    public bool OnDiskVectors { get; init; }

    /// <summary>Keeps payloads on disk instead of in memory.</summary>
    /// <value>Default: true.</value>
    public bool OnDiskPayload { get; init; } = true;

    /// <summary>Number of links per point in the HNSW graph; 0 for no graph, which makes every search exact.</summary>
    /// <value>Default: 16. From 0 to 512.</value>
    [Range(0, 512)]
    public int HnswM { get; init; } = 16;

    /// <summary>Number of candidates considered when the HNSW graph is built.</summary>
    /// <value>Default: 100. From 4 to 10,000.</value>
    [Range(4, 10_000)]
    public int HnswEfConstruct { get; init; } = 100;

    /// <summary>
    /// Also keeps vectors in memory as int8, a quarter of the size; search results are rescored with the original
    /// vectors.
    /// </summary>
    /// <value>Default: false.</value>
    public bool QuantizeInt8 { get; init; }

    /// <summary>
    /// Share of deleted points in a segment from which Qdrant rewrites it without them. Until then, deleted points stay in its
    /// files.
    /// </summary>
    /// <value>Default: none, Qdrant's own, 0.2. From 0.0001 to 1.</value>
    [Range(0.0001, 1.0)]
    public double? DeletedThreshold { get; init; }

    /// <summary>Number of points from which Qdrant rewrites a segment because of deleted points.</summary>
    /// <value>Default: none, Qdrant's own, 1,000. From 100 to 1,000,000,000.</value>
    [Range(100, 1_000_000_000)]
    public int? VacuumMinVectors { get; init; }
}
