using System.ComponentModel.DataAnnotations;
using System.Reflection;
using Embeddings.Client.Calls;
using Grpc.Core;
using Microsoft.Extensions.Options;

namespace Embeddings.Client;

/// <summary>Validates the options, and parses the addresses.</summary>
internal sealed class EmbeddingsClientOptionsValidator : IValidateOptions<EmbeddingsClientOptions>
{
    private const int DefaultPort = 50051;
    private const int MaxAddresses = 1024;
    private const string Authorization = "authorization";

    public ValidateOptionsResult Validate(string? name, EmbeddingsClientOptions options)
    {
        var failures = string.Join(" ", Failures(options));
        return failures.Length == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);
    }

    /// <summary>Validates the options of a client that is created without a host.</summary>
    /// <exception cref="ArgumentException">An option is out of range. The message names the option.</exception>
    public static void ThrowIfInvalid(EmbeddingsClientOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (new EmbeddingsClientOptionsValidator().Validate(name: null, options).FailureMessage is { } message)
        {
            throw new ArgumentException(message, nameof(options));
        }
    }

    /// <summary>Returns the addresses of valid options as URIs.</summary>
    public static IReadOnlyList<Uri> Endpoints(EmbeddingsClientOptions options) =>
        [.. options.Addresses.Select(address => Parse(address)!).Distinct()];

    private static IEnumerable<string> Failures(EmbeddingsClientOptions options)
    {
        foreach (var property in typeof(EmbeddingsClientOptions).GetProperties())
        {
            var value = property.GetValue(options);
            if (property.GetCustomAttribute<RangeAttribute>() is { Minimum: var least, Maximum: var most } range
                && !range.IsValid(value))
            {
                yield return FormattableString.Invariant(
                    $"{property.Name} must be between {least} and {most}; got {value}.");
            }
        }

        if (!Enum.IsDefined(options.LoadBalancing))
        {
            yield return $"LoadBalancing must be RoundRobin or PickFirst; got {options.LoadBalancing}.";
        }

        if (options.MaxReconnectDelay < options.ReconnectDelay)
        {
            yield return $"MaxReconnectDelay must be at least ReconnectDelay ({options.ReconnectDelay}); "
                + $"got {options.MaxReconnectDelay}.";
        }

        var addresses = options.Addresses ?? [];
        if (addresses.Count is 0 or > MaxAddresses)
        {
            yield return $"Addresses must contain between 1 and {MaxAddresses} addresses; got {addresses.Count}.";
        }

        var invalid = addresses.Where(address => Parse(address) is null).Take(1).ToList();
        if (invalid is [var first])
        {
            yield return $"Addresses must be of the form host:port, http://host:port, or https://host:port; got '{first}'.";
        }
        else if (addresses.Select(address => Parse(address)!.Scheme).Distinct().Count() > 1)
        {
            yield return $"Addresses must all use http or all use https; got {string.Join(", ", addresses)}.";
        }
        else
        {
            foreach (var failure in ClientTls.Failures(options, addresses.Any(IsSecure)).Concat(KeyFailures(options, addresses)))
            {
                yield return failure;
            }
        }

        if (options.Headers is null || options.Interceptors is null)
        {
            yield return "Headers and Interceptors must not be null.";
        }

        foreach (var (name, value) in options.Headers ?? new Dictionary<string, string>())
        {
            if (!IsHeader(name, value))
            {
                yield return $"Headers must have names of the characters a-z, 0-9, '-', '_', and '.', not starting with "
                    + $"'grpc-' or ending with '-bin', and values of printable ASCII characters; got '{name}'.";
            }
        }

        if (options.HttpHandler is not null && (addresses.Count > 1 || options.ConfigureHandler is not null))
        {
            yield return $"HttpHandler must be null if there are several addresses or ConfigureHandler is set; got "
                + $"{options.HttpHandler.GetType().Name}.";
        }
    }

    private static bool IsSecure(string address) => Parse(address)!.Scheme == Uri.UriSchemeHttps;

    // Errors do not contain the key.
    private static IEnumerable<string> KeyFailures(EmbeddingsClientOptions options, IReadOnlyList<string> addresses)
    {
        var headers = options.Headers ?? new Dictionary<string, string>();
        if (options.ApiKey is { } key && (key.Length == 0 || !key.All(letter => letter is > ' ' and <= '~')))
        {
            yield return "ApiKey must be null, or at least one printable ASCII character, without spaces.";
        }

        if (options.ApiKey is not null && headers.ContainsKey(Authorization))
        {
            yield return $"Headers must not contain '{Authorization}' if ApiKey is set, which is sent in it.";
        }

        var carrier = options.ApiKey is not null ? nameof(options.ApiKey)
            : headers.Keys.FirstOrDefault(name => name is Authorization or "x-api-key") is { } name ? $"The header '{name}'"
            : null;
        if (carrier is not null
            && addresses.FirstOrDefault(address => !IsSecure(address) && !Parse(address)!.IsLoopback) is { } exposed)
        {
            yield return $"{carrier} requires https:// addresses, because a key over http:// can be read in transit, except to this "
                + $"machine (127.0.0.1, ::1, localhost); got '{exposed}'.";
        }
    }

    // The value may be a secret, so errors contain only the name.
    private static bool IsHeader(string name, string? value) =>
        name.Length > 0
        && name.All(letter => char.IsAsciiLetterLower(letter) || char.IsAsciiDigit(letter) || letter is '-' or '_' or '.')
        && !name.StartsWith("grpc-", StringComparison.Ordinal)
        && !name.EndsWith(Metadata.BinaryHeaderSuffix, StringComparison.Ordinal)
        && value is not null
        && value.All(letter => letter is >= ' ' and <= '~');

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
