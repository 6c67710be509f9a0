using System.Globalization;
using Embeddings.Primitives;

namespace Embeddings.Server.Security;

/// <summary>The errors of callers that are not accepted. None of them contains a key or a token.</summary>
internal static class AccessFaults
{
    public static Fault KeyMissing() => new(
        FaultKind.Unauthenticated,
        Reasons.KeyMissing,
        "The call has no credentials; send an API key or a token as 'authorization: Bearer KEY', or an API key as 'x-api-key: KEY'.");

    public static Fault SchemeUnknown() => new(
        FaultKind.Unauthenticated,
        Reasons.KeyInvalid,
        "The authorization of the call must be one value of the form 'Bearer KEY'; send it once and in this form.");

    public static Fault KeyInvalid() => new(
        FaultKind.Unauthenticated,
        Reasons.KeyInvalid,
        "The server does not know the API key; check it, or ask the operator for a new one.");

    public static Fault Revoked(AccessKey key) => key.Subject is null
        ? new(FaultKind.Unauthenticated, Reasons.KeyInvalid, $"The API key '{key.Name}' was revoked; ask the operator for a new one.")
        : CertificateUnknown(key.Subject);

    public static Fault Expired(AccessKey key) => new(
        FaultKind.Unauthenticated,
        Reasons.KeyExpired,
        string.Create(
            CultureInfo.InvariantCulture,
            $"The {(key.Subject is null ? "API key" : "entry of the certificate")} '{key.Name}' expired at "
                + $"{key.Expires?.UtcDateTime:yyyy-MM-dd'T'HH:mm:ss'Z'}; ask the operator for a new one."));

    public static Fault TokenInvalid(string why) => new(
        FaultKind.Unauthenticated, Reasons.TokenInvalid, $"The token is not valid: {why}; get another one from the identity provider.");

    public static Fault TokenExpired() => new(
        FaultKind.Unauthenticated, Reasons.TokenExpired, "The token has expired; get another one from the identity provider.");

    public static Fault IssuerUnavailable() => new(
        FaultKind.Unavailable,
        Reasons.IssuerUnavailable,
        "The server cannot get the public keys of the identity provider, without which it cannot check tokens; try again.",
        retryAfter: TimeSpan.FromSeconds(5));

    public static Fault CertificateInvalid() => new(
        FaultKind.Unauthenticated,
        Reasons.CertificateInvalid,
        "The client certificate is not valid: it has expired, is not for clients, or is not of an authority that the server trusts.");

    public static Fault CertificateUnknown(string subject) => new(
        FaultKind.PermissionDenied,
        Reasons.CertificateUnknown,
        $"The certificate with the subject '{subject}' has no entry in the server's keys file; ask the operator for one.");

    public static Fault AccessDenied(Access needed, Caller caller) => new Fault(
        FaultKind.PermissionDenied,
        Reasons.AccessDenied,
        $"The call needs the access '{KeysFile.Word(needed)}'; '{caller.Name}' has '{KeysFile.Word(caller.Access)}'.")
        .With(FaultKeys.Expected, KeysFile.Word(needed))
        .With(FaultKeys.Actual, KeysFile.Word(caller.Access));

    // The same whether the collection exists or not.
    public static Fault CollectionDenied(string collection, Caller caller) => new Fault(
        FaultKind.PermissionDenied,
        Reasons.CollectionDenied,
        $"'{caller.Name}' has no access to collection '{collection}'; use another collection, or ask the operator.")
        .With(FaultKeys.Collection, collection);
}
