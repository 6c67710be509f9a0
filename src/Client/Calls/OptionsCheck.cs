using System.ComponentModel.DataAnnotations;

namespace Embeddings.Client.Calls;

/// <summary>Validates the options, including rules that annotations cannot express, and parses the addresses.</summary>
internal static class OptionsCheck
{
    private const int DefaultPort = 50051;

    /// <summary>Validates the options and returns the addresses as URIs.</summary>
    /// <exception cref="ArgumentException">An option is out of range. The message names the option.</exception>
    public static IReadOnlyList<Uri> Endpoints(EmbeddingsClientOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        var faults = new List<ValidationResult>();
        if (!Validator.TryValidateObject(options, new ValidationContext(options), faults, validateAllProperties: true))
        {
            throw new ArgumentException(string.Join(" ", faults.Select(fault => fault.ErrorMessage)), nameof(options));
        }

        if (options.MaxReconnectDelay < options.ReconnectDelay)
        {
            throw new ArgumentException(
                $"MaxReconnectDelay must be at least ReconnectDelay ({options.ReconnectDelay}); got {options.MaxReconnectDelay}.",
                nameof(options));
        }

        var endpoints = options.Addresses.Select(Parse).Distinct().ToArray();
        return endpoints.All(endpoint => endpoint.Scheme == endpoints[0].Scheme)
            ? endpoints
            : throw new ArgumentException(
                $"Addresses must all use http or all use https; got {string.Join(", ", options.Addresses)}.", nameof(options));
    }

    private static Uri Parse(string address)
    {
        var text = address?.Trim() ?? "";
        var hasScheme = text.Contains("://", StringComparison.Ordinal);
        if (text.Length == 0
            || !Uri.TryCreate(hasScheme ? text : "http://" + text, UriKind.Absolute, out var uri)
            || (uri.Scheme != Uri.UriSchemeHttp && uri.Scheme != Uri.UriSchemeHttps)
            || uri.Host.Length == 0 || uri.PathAndQuery != "/" || uri.UserInfo.Length > 0 || uri.Fragment.Length > 0)
        {
            throw new ArgumentException(
                $"Addresses must be of the form host:port, http://host:port, or https://host:port; got '{address}'.",
                nameof(address));
        }

        // Uri does not show whether the scheme's default port was given explicitly; otherwise the service's default
        // port applies.
        var written = text.TrimEnd('/').EndsWith($":{uri.Port}", StringComparison.Ordinal);
        return uri.IsDefaultPort && !written ? new UriBuilder(uri) { Port = DefaultPort }.Uri : uri;
    }
}
