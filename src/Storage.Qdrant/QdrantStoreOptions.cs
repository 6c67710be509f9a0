using System.ComponentModel.DataAnnotations;

namespace Embeddings.Storage.Qdrant;

/// <summary>The store on a Qdrant cluster: connection, times, bulk. Section <c>Store:Qdrant</c>.</summary>
internal sealed record QdrantStoreOptions : IValidatableObject
{
    /// <summary>Qdrant's gRPC address: <c>http://host:6334</c>, or <c>https://host:6334</c> for TLS.</summary>
    /// <value>Default: <c>http://127.0.0.1:6334</c>.</value>
    [Required(AllowEmptyStrings = false)]
    public string Url { get; init; } = "http://127.0.0.1:6334";

    /// <summary>Sent with every call; null where Qdrant asks for none. Without TLS it can be read on the way.</summary>
    /// <value>Default: none.</value>
    public string? ApiKey { get; init; }

    /// <summary>PEM file of the authorities to trust instead of the system's.</summary>
    /// <value>Default: none.</value>
    public string? CaFile { get; init; }

    /// <summary>SHA-256 of the one server certificate to trust, in hex, colons allowed; for self-signed ones.</summary>
    /// <value>Default: none.</value>
    [RegularExpression("([0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}", ErrorMessage = "CertificateThumbprint must be a SHA-256 in hex")]
    public string? CertificateThumbprint { get; init; }

    /// <summary>When an upsert is acknowledged.</summary>
    /// <value>Default: <c>Durable</c>.</value>
    [EnumDataType(typeof(AckLevel))]
    public AckLevel Ack { get; init; } = AckLevel.Durable;

    /// <summary>Points at which an upsert is full.</summary>
    /// <value>Default: 256. From 1 to 10,000.</value>
    [Range(1, 10_000)]
    public int MaxUpsertPoints { get; init; } = 256;

    /// <summary>Bytes at which an upsert is full; Qdrant takes 32 MiB.</summary>
    /// <value>Default: 4,194,304. From 1,024 to 31,457,280. One point is never split.</value>
    [Range(1024, 30 << 20)]
    public int MaxUpsertBytes { get; init; } = 4 << 20;

    /// <summary>Upserts in flight for each collection; more wait, and fill up meanwhile.</summary>
    /// <value>Default: 4. From 1 to 64.</value>
    [Range(1, 64)]
    public int MaxUpsertsInFlight { get; init; } = 4;

    /// <summary>How long points wait for company while another upsert is in flight, milliseconds.</summary>
    /// <value>Default: 20. From 0 to 10,000.</value>
    [Range(0, 10_000)]
    public int MaxUpsertDelayMs { get; init; } = 20;

    /// <summary>Time for one try of a read, seconds.</summary>
    /// <value>Default: 10. From 0.01 to 3,600.</value>
    [Range(0.01, 3600)]
    public double ReadTimeoutSeconds { get; init; } = 10;

    /// <summary>Time for one try of an upsert or deletion, seconds.</summary>
    /// <value>Default: 30. From 0.01 to 3,600.</value>
    [Range(0.01, 3600)]
    public double WriteTimeoutSeconds { get; init; } = 30;

    /// <summary>Time for one try of making or changing a collection, seconds.</summary>
    /// <value>Default: 60. From 0.01 to 3,600.</value>
    [Range(0.01, 3600)]
    public double ManageTimeoutSeconds { get; init; } = 60;

    /// <summary>How long a read is tried again after passing failures, seconds; 0 for one try. The caller's deadline ends it, too.</summary>
    /// <value>Default: 5. From 0 to 3,600.</value>
    [Range(0, 3600)]
    public double ReadRetrySeconds { get; init; } = 5;

    /// <summary>
    /// How long a write is tried again after passing failures, seconds; 0 for one try. Streams wait meanwhile, so a restart of Qdrant within it fails no item.
    /// </summary>
    /// <value>Default: 60. From 0 to 3,600.</value>
    [Range(0, 3600)]
    public double WriteRetrySeconds { get; init; } = 60;

    /// <summary>Pause before the second try, milliseconds; it doubles with each, with jitter, up to 2 seconds.</summary>
    /// <value>Default: 50. From 1 to 2,000.</value>
    [Range(1, 2000)]
    public int RetryDelayMs { get; init; } = 50;

    /// <summary>Time between looks at whether Qdrant is there, seconds; while it is not, at most one second.</summary>
    /// <value>Default: 5. From 0.05 to 3,600.</value>
    [Range(0.05, 3600)]
    public double ProbeSeconds { get; init; } = 5;

    /// <summary>How long a collection's dimension and model are remembered before Qdrant is asked again, seconds.</summary>
    /// <value>Default: 30. From 0 to 3,600.</value>
    [Range(0, 3600)]
    public double CollectionCacheSeconds { get; init; } = 30;

    /// <summary>The largest answer taken from Qdrant, bytes: 64 queries of 1,000 points with vectors and payloads are large.</summary>
    /// <value>Default: 268,435,456. From 4,194,304 to 2,147,483,647.</value>
    [Range(4 << 20, int.MaxValue)]
    public int MaxReceiveBytes { get; init; } = 256 << 20;

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (!Uri.TryCreate(Url, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https"))
        {
            yield return new($"Url must be http://host:port or https://host:port; it is '{Url}'");
        }
        else if (uri.Scheme == "http" && (CaFile is not null || CertificateThumbprint is not null))
        {
            yield return new("CaFile and CertificateThumbprint need an https:// Url");
        }
        if (CaFile is not null && CertificateThumbprint is not null)
        {
            yield return new("only one of CaFile and CertificateThumbprint may be set");
        }
        if (CaFile is not null && !File.Exists(CaFile))
        {
            yield return new($"CaFile '{CaFile}' is not there");
        }
    }
}
