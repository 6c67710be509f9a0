using System.ComponentModel.DataAnnotations;

namespace Embeddings.Client.Calls;

/// <summary>What the options' annotations cannot say, and the addresses as URIs.</summary>
internal static class OptionsCheck
{
    private const int DefaultPort = 50051;

    /// <summary>The addresses of options that are valid.</summary>
    /// <exception cref="ArgumentException">An option is out of its range; the message names it.</exception>
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
            throw new ArgumentException("MaxReconnectDelay must not be below ReconnectDelay.", nameof(options));
        }

        var endpoints = options.Addresses.Select(Parse).Distinct().ToArray();
        return endpoints.All(endpoint => endpoint.Scheme == endpoints[0].Scheme)
            ? endpoints
            : throw new ArgumentException("Addresses must be all http or all https.", nameof(options));
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
            throw new ArgumentException($"Addresses: '{address}' is not host:port, http://host:port or https://host:port.", nameof(address));
        }

        // Uri hides whether a scheme's own port was written out; only where it was is it meant.
        var written = text.TrimEnd('/').EndsWith($":{uri.Port}", StringComparison.Ordinal);
        return uri.IsDefaultPort && !written ? new UriBuilder(uri) { Port = DefaultPort }.Uri : uri;
    }
}
