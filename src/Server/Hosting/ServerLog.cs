using System.Net;

namespace Embeddings.Server.Hosting;

/// <summary>Log messages of the server. Event ids 3,000 to 3,099; docs/observability.md lists all events.</summary>
internal static partial class ServerLog
{
    private const int TlsRefusedId = 3012;
    private const int ClearTextRefusedId = 3040;
    private const int ClientCertificateRefusedId = 3041;

    /// <summary>
    /// True for events that clients can cause as often as they connect, which <see cref="RepeatedEvents"/> limits.
    /// </summary>
    public static bool IsFromClients(int eventId) => eventId is TlsRefusedId or ClearTextRefusedId or ClientCertificateRefusedId;

    [LoggerMessage(
        EventId = 3000,
        EventName = nameof(CallFailed),
        Level = LogLevel.Error,
        Message = "{Method} failed with an unexpected exception; this is a bug in the server")]
    public static partial void CallFailed(ILogger log, Exception exception, string method);

    [LoggerMessage(
        EventId = 3010,
        EventName = nameof(FaultAnswered),
        Level = LogLevel.Debug,
        Message = "{Method} answered {Reason}: {Message}")]
    public static partial void FaultAnswered(ILogger log, string method, string reason, string message);

    [LoggerMessage(
        EventId = 3011,
        EventName = nameof(EventsSuppressed),
        Level = LogLevel.Warning,
        Message = "{Count} more {Event} events within {Seconds} s were not logged")]
    public static partial void EventsSuppressed(ILogger log, int count, string? @event, double seconds);

    [LoggerMessage(
        EventId = TlsRefusedId,
        EventName = nameof(TlsRefused),
        Level = LogLevel.Warning,
        Message = "{Client} uses TLS on port {Port}, which is without TLS. Use http:// in the client's address, or send it "
            + "to a proxy with TLS.")]
    public static partial void TlsRefused(ILogger log, EndPoint? client, int port);

    [LoggerMessage(
        EventId = 3013,
        EventName = nameof(DrainBegan),
        Level = LogLevel.Information,
        Message = "The server is not ready any more and serves calls for another {Seconds} s")]
    public static partial void DrainBegan(ILogger log, int seconds);

    [LoggerMessage(
        EventId = 3014,
        EventName = nameof(ConnectionsClosed),
        Level = LogLevel.Warning,
        Message = "Connections were still open {Seconds:F1} s after the shutdown began and are closed now")]
    public static partial void ConnectionsClosed(ILogger log, double seconds);

    [LoggerMessage(
        EventId = 3015,
        EventName = nameof(MemoryLimit),
        Level = LogLevel.Information,
        Message = "The process may use {Limit} MiB; a message may have {Message} MiB, decoding an image may need {Image} MiB")]
    public static partial void MemoryLimit(ILogger log, long limit, long message, long image);

    [LoggerMessage(
        EventId = 3016,
        EventName = nameof(PointsDeleted),
        Level = LogLevel.Information,
        Message = "{Method} deleted {Count} points of {Collection}")]
    public static partial void PointsDeleted(ILogger log, string method, long count, string collection);

    [LoggerMessage(
        EventId = 3017,
        EventName = nameof(CollectionDeleted),
        Level = LogLevel.Information,
        Message = "{Method} deleted collection {Collection} with {Count} points")]
    public static partial void CollectionDeleted(ILogger log, string method, string collection, long count);

    [LoggerMessage(
        EventId = 3018,
        EventName = nameof(AliasesChanged),
        Level = LogLevel.Information,
        Message = "{Method} set the aliases {Set} and deleted the aliases {Deleted}")]
    public static partial void AliasesChanged(ILogger log, string method, string set, string deleted);

    [LoggerMessage(
        EventId = 3019,
        EventName = nameof(SettingsChanged),
        Level = LogLevel.Information,
        Message = "{Method} set the settings of collection {Collection}")]
    public static partial void SettingsChanged(ILogger log, string method, string collection);

    [LoggerMessage(
        EventId = 3020,
        EventName = nameof(SecurityFileLoaded),
        Level = LogLevel.Information,
        Message = "{File} has changed and is in use now")]
    public static partial void SecurityFileLoaded(ILogger log, string file);

    [LoggerMessage(
        EventId = 3021,
        EventName = nameof(SecurityFileRefused),
        Level = LogLevel.Warning,
        Message = "{Reason} The last good content stays in use.")]
    public static partial void SecurityFileRefused(ILogger log, string reason);

    [LoggerMessage(
        EventId = 3022,
        EventName = nameof(IssuerUnavailable),
        Level = LogLevel.Warning,
        Message = "The public keys of {Issuer} cannot be read, so that no token can be checked")]
    public static partial void IssuerUnavailable(ILogger log, Exception exception, string issuer);

    [LoggerMessage(
        EventId = 3060,
        EventName = nameof(PointsExpired),
        Level = LogLevel.Information,
        Message = "{Count} expired points of {Collection} were deleted")]
    public static partial void PointsExpired(ILogger log, long count, string collection);

    [LoggerMessage(
        EventId = 3061,
        EventName = nameof(SweepFailed),
        Level = LogLevel.Warning,
        Message = "Expired points could not be deleted; the next sweep tries again: {Reason}")]
    public static partial void SweepFailed(ILogger log, string reason);

    [LoggerMessage(
        EventId = 3062,
        EventName = nameof(HoldsChanged),
        Level = LogLevel.Information,
        Message = "{Method} set the legal hold to {Hold} for {Count} points of {Collection}")]
    public static partial void HoldsChanged(ILogger log, string method, bool hold, long count, string collection);

    [LoggerMessage(
        EventId = 3063,
        EventName = nameof(SuppressedPointsDeleted),
        Level = LogLevel.Warning,
        Message = "{Count} points of the store were on the suppression list and were deleted; was a backup restored?")]
    public static partial void SuppressedPointsDeleted(ILogger log, long count);

    [LoggerMessage(
        EventId = 3030,
        EventName = nameof(PersonsChanged),
        Level = LogLevel.Information,
        Message = "{Method} changed the person of {Count} faces of {Collection} (change {Change})")]
    public static partial void PersonsChanged(ILogger log, string method, long count, string collection, string change);

    [LoggerMessage(
        EventId = 3031,
        EventName = nameof(FacesGrouped),
        Level = LogLevel.Information,
        Message = "{Method} grouped {Count} faces of {Collection} into {Persons} persons in {Milliseconds:F0} ms")]
    public static partial void FacesGrouped(
        ILogger log, string method, int count, string collection, int persons, double milliseconds);

    [LoggerMessage(
        EventId = ClearTextRefusedId,
        EventName = nameof(ClearTextRefused),
        Level = LogLevel.Warning,
        Message = "{Client} sends clear text to port {Port}, which uses TLS. Use https:// in the client's address.")]
    public static partial void ClearTextRefused(ILogger log, EndPoint? client, int port);

    [LoggerMessage(
        EventId = ClientCertificateRefusedId,
        EventName = nameof(ClientCertificateRefused),
        Level = LogLevel.Warning,
        Message = "Every call on the connection of {Client} is refused: {Reason}")]
    public static partial void ClientCertificateRefused(ILogger log, EndPoint? client, string reason);

    [LoggerMessage(
        EventId = 3042,
        EventName = nameof(CertificateLoaded),
        Level = LogLevel.Information,
        Message = "The files of Server:Tls have changed; new connections get the certificate '{Subject}', valid until {Expires:yyyy-MM-dd HH:mm} UTC")]
    public static partial void CertificateLoaded(ILogger log, string subject, DateTime expires);

    [LoggerMessage(
        EventId = 3043,
        EventName = nameof(CertificateNotLoaded),
        Level = LogLevel.Warning,
        Message = "The files of Server:Tls have changed but cannot be used; the certificate before them stays in use: {Reason}")]
    public static partial void CertificateNotLoaded(ILogger log, string reason);

    [LoggerMessage(
        EventId = 3044,
        EventName = nameof(CertificateExpires),
        Level = LogLevel.Warning,
        Message = "{Warning}; replace the files of Server:Tls, which are loaded without a restart")]
    public static partial void CertificateExpires(ILogger log, string warning);

    [LoggerMessage(
        EventId = 3045,
        EventName = nameof(InsecureAddress),
        Level = LogLevel.Warning,
        Message = "The server listens on '{Listen}', which other machines can reach, without {Missing}, because Server:AllowInsecure is true")]
    public static partial void InsecureAddress(ILogger log, string listen, string missing);

    [LoggerMessage(
        EventId = 3050,
        EventName = nameof(AuditFailed),
        Level = LogLevel.Error,
        Message = "The audit log {File} cannot be written")]
    public static partial void AuditFailed(ILogger log, Exception exception, string file);

    [LoggerMessage(
        EventId = 3051,
        EventName = nameof(AuditContinued),
        Level = LogLevel.Warning,
        Message = "The audit log {File} can be written again; {Count} lines are missing")]
    public static partial void AuditContinued(ILogger log, string file, long count);

    [LoggerMessage(
        EventId = 3052,
        EventName = nameof(AuditRecovered),
        Level = LogLevel.Warning,
        Message = "The process was killed while it wrote the audit log {File}: {Bytes} bytes of an incomplete line were cut off, "
            + "{Lines} lines are missing")]
    public static partial void AuditRecovered(ILogger log, string file, long bytes, long lines);
}
