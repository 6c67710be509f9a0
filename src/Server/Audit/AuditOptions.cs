using System.ComponentModel.DataAnnotations;

namespace Embeddings.Server.Audit;

/// <summary>The audit log. Section <c>Audit</c>; it is on if <see cref="File"/> is set.</summary>
internal sealed record AuditOptions
{
    /// <summary>
    /// Path of the file, for example <c>audit/audit.jsonl</c>. Its folder is created. Rotated files are next to it, with the
    /// number of their last line in the name, and the head file has the extension <c>.head</c>.
    /// </summary>
    /// <value>Default: none, no audit log.</value>
    public string File { get; init; } = "";

    /// <summary>Size at which a new file begins, bytes. A file may exceed it by 1 MiB.</summary>
    /// <value>Default: 104,857,600. From 65,536 to 1,099,511,627,776.</value>
    [Range(65_536L, 1L << 40)]
    public long MaxFileBytes { get; init; } = 100 << 20;

    /// <summary>Maximum number of files, with the current one; the oldest are deleted. 0 for no limit.</summary>
    /// <value>Default: 0. From 0 to 1,000,000.</value>
    [Range(0, 1_000_000)]
    public int MaxFiles { get; init; }

    /// <summary>Age of the last line at which a rotated file is deleted, days. 0 for no limit.</summary>
    /// <value>Default: 0. From 0 to 36,500.</value>
    [Range(0, 36_500)]
    public int MaxAgeDays { get; init; }

    /// <summary>
    /// <c>Refuse</c>: while the log cannot be written, calls that change data fail with UNAVAILABLE. <c>Continue</c>: they are
    /// served, and the number of missing lines is logged when the log can be written again.
    /// </summary>
    /// <value>Default: <c>Refuse</c>.</value>
    [EnumDataType(typeof(AuditFailure))]
    public AuditFailure OnFailure { get; init; } = AuditFailure.Refuse;

    /// <summary>
    /// File with a secret of at least 32 bytes. With it, the hashes of the lines are HMACs, so that a log that
    /// verifies cannot be written without the key.
    /// </summary>
    /// <value>Default: none, plain hashes.</value>
    public string KeyFile { get; init; } = "";

    /// <summary>
    /// Interval at which the lines are forced to the disk, seconds. 0 forces each group before its calls are answered. Lines
    /// survive the end of the process in any case; the interval is what a power failure may take.
    /// </summary>
    /// <value>Default: 1. From 0 to 3,600.</value>
    [Range(0, 3600)]
    public int SyncSeconds { get; init; } = 1;

    /// <summary>Number of items of a stream after which a line summarizes them.</summary>
    /// <value>Default: 1,000. From 1 to 1,000,000.</value>
    [Range(1, 1_000_000)]
    public int StreamItems { get; init; } = 1000;
}

/// <summary>The handling of calls that change data while the audit log cannot be written.</summary>
internal enum AuditFailure
{
    /// <summary>They fail.</summary>
    Refuse,

    /// <summary>They are served without lines.</summary>
    Continue,
}
