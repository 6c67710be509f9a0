using System.ComponentModel.DataAnnotations;
using System.Globalization;
using Embeddings.Server.Security;

namespace Embeddings.Server.Privacy;

/// <summary>Retention, suppression, and receipts of deletions. Section <c>Privacy</c>.</summary>
internal sealed record PrivacyOptions : IValidatableObject
{
    private const double MaxDays = 36_525;

    /// <summary>
    /// PEM file with the private key (elliptic curve P-256) that signs the receipts of deletions. Without it, requests for a
    /// receipt fail.
    /// </summary>
    /// <value>Default: none.</value>
    public string? ReceiptKeyFile { get; init; }

    /// <summary>
    /// File of the suppression list, created if necessary; used by one server at a time. Keep it outside the store's directory,
    /// so that a restored backup does not replace it. Without it, requests to suppress ids fail.
    /// </summary>
    /// <value>Default: none.</value>
    public string? SuppressionFile { get; init; }

    /// <summary>
    /// Retention periods as <c>GLOB=DAYS</c>: points of the collections that match are deleted this number of days after they
    /// were stored. <c>*</c> and <c>?</c> are wildcards; the first entry that matches counts. Days from 0.0001 to 36,525.
    /// </summary>
    /// <value>Default: none.</value>
    public IReadOnlyList<string> Retention { get; init; } = [];

    /// <summary>Interval between two searches for points that have expired, seconds.</summary>
    /// <value>Default: 60. From 1 to 86,400.</value>
    [Range(1, 86_400)]
    public int SweepSeconds { get; init; } = 60;

    /// <summary>Returns the retention period of a collection, or null.</summary>
    public TimeSpan? PeriodOf(string collection)
    {
        foreach (var entry in Retention)
        {
            if (Read(entry) is var (glob, period) && CollectionGlob.Matches(glob, collection))
            {
                return period;
            }
        }
        return null;
    }

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        foreach (var entry in Retention)
        {
            if (Read(entry) is null)
            {
                yield return new(
                    $"Retention must be GLOB=DAYS with 0.0001 to {MaxDays} days, for example face_*=1095; got '{entry}'.");
            }
        }
        if (ReceiptKeyFile is not null && ReceiptKey.WhyUnusable(ReceiptKeyFile) is { } why)
        {
            yield return new($"ReceiptKeyFile must be a PEM file with a private key of curve P-256; '{ReceiptKeyFile}' {why}.");
        }
    }

    private static (string Glob, TimeSpan Period)? Read(string entry)
    {
        var at = entry.LastIndexOf('=');
        return at > 0 && CollectionGlob.IsValid(entry[..at])
            && double.TryParse(entry.AsSpan(at + 1), NumberStyles.Float, CultureInfo.InvariantCulture, out var days)
            && days is >= 0.0001 and <= MaxDays
                ? (entry[..at], TimeSpan.FromDays(days))
                : null;
    }
}
