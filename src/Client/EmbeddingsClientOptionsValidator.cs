using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Embeddings.Client;

/// <summary>Validates the rules that annotations cannot express, and parses the addresses.</summary>
internal sealed class EmbeddingsClientOptionsValidator : IValidateOptions<EmbeddingsClientOptions>
{
    private const int DefaultPort = 50051;

    public ValidateOptionsResult Validate(string? name, EmbeddingsClientOptions options)
    {
        foreach (var address in options.Addresses ?? [])
        {
            if (Parse(address) is null)
            {
                return ValidateOptionsResult.Fail(
                    $"Addresses must be of the form host:port, http://host:port, or https://host:port; got '{address}'.");
            }
        }

        if (options.Addresses?.Select(address => Parse(address)!.Scheme).Distinct().Count() > 1)
        {
            var addresses = string.Join(", ", options.Addresses);
            return ValidateOptionsResult.Fail($"Addresses must all use http or all use https; got {addresses}.");
        }

        var most = options.MaxReconnectDelay;
        return most >= options.ReconnectDelay
            ? ValidateOptionsResult.Success
            : ValidateOptionsResult.Fail(
                $"MaxReconnectDelay must be at least ReconnectDelay ({options.ReconnectDelay}); got {most}.");
    }

    /// <summary>Validates the annotations and the other rules, for a client that is created without a host.</summary>
    /// <exception cref="ArgumentException">An option is out of range. The message names the option.</exception>
    public static void ThrowIfInvalid(EmbeddingsClientOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        var violations = new List<ValidationResult>();
        Validator.TryValidateObject(options, new ValidationContext(options), violations, validateAllProperties: true);
        var message = violations.Count > 0
            ? string.Join(" ", violations.Select(violation => violation.ErrorMessage))
            : new EmbeddingsClientOptionsValidator().Validate(name: null, options).FailureMessage;
        if (message is not null)
        {
            throw new ArgumentException(message, nameof(options));
        }
    }

    /// <summary>Returns the addresses of valid options as URIs.</summary>
    public static IReadOnlyList<Uri> Endpoints(EmbeddingsClientOptions options) =>
        [.. options.Addresses.Select(address => Parse(address)!).Distinct()];

    private static Uri? Parse(string? address)
    {
        var text = address?.Trim() ?? "";
        var hasScheme = text.Contains("://", StringComparison.Ordinal);
        if (text.Length == 0
            || !Uri.TryCreate(hasScheme ? text : "http://" + text, UriKind.Absolute, out var uri)
            || (uri.Scheme != Uri.UriSchemeHttp && uri.Scheme != Uri.UriSchemeHttps)
            || uri.Host.Length == 0 || uri.PathAndQuery != "/" || uri.UserInfo.Length > 0 || uri.Fragment.Length > 0)
        {
            return null;
        }

        // Uri does not show whether the scheme's default port was given explicitly; otherwise the service's default
        // port applies.
        var explicitPort = text.TrimEnd('/').EndsWith($":{uri.Port}", StringComparison.Ordinal);
        return uri.IsDefaultPort && !explicitPort ? new UriBuilder(uri) { Port = DefaultPort }.Uri : uri;
    }
}
