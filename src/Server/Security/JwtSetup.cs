using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.Protocols;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;
using Microsoft.IdentityModel.Tokens;

namespace Embeddings.Server.Security;

/// <summary>Settings of the library that checks tokens.</summary>
internal sealed class JwtSetup(JwtOptions jwt, JwksFile file) : IConfigureNamedOptions<JwtBearerOptions>
{
    // Asymmetric ones: with others, the key that checks a token can also make one.
    private static readonly string[] Algorithms =
    [
        SecurityAlgorithms.RsaSha256, SecurityAlgorithms.RsaSha384, SecurityAlgorithms.RsaSha512,
        SecurityAlgorithms.RsaSsaPssSha256, SecurityAlgorithms.RsaSsaPssSha384, SecurityAlgorithms.RsaSsaPssSha512,
        SecurityAlgorithms.EcdsaSha256, SecurityAlgorithms.EcdsaSha384, SecurityAlgorithms.EcdsaSha512,
    ];

    public void Configure(JwtBearerOptions options) => Configure(JwtBearerDefaults.AuthenticationScheme, options);

    public void Configure(string? name, JwtBearerOptions options)
    {
        options.MapInboundClaims = false;
        options.SaveToken = false;
        options.IncludeErrorDetails = false;
        options.TokenValidationParameters = new()
        {
            ValidIssuer = jwt.Issuer,
            ValidAudience = jwt.Audience,
            ValidAlgorithms = Algorithms,
            ValidateIssuerSigningKey = true,
            RequireSignedTokens = true,
            RequireExpirationTime = true,
            ClockSkew = TimeSpan.FromSeconds(jwt.ClockSkewSeconds),
        };
        if (!string.IsNullOrEmpty(jwt.JwksFile))
        {
            options.ConfigurationManager = file;
        }
        else if (!string.IsNullOrEmpty(jwt.JwksAddress))
        {
            options.ConfigurationManager = new RemoteKeys(jwt.JwksAddress, new JwksRetriever());
        }
        else if (!string.IsNullOrEmpty(jwt.Authority))
        {
            options.ConfigurationManager = new RemoteKeys(
                $"{jwt.Authority.TrimEnd('/')}/.well-known/openid-configuration", new OpenIdConnectConfigurationRetriever());
        }
    }

    /// <summary>
    /// Keys at an address. Not the library's manager itself, with which a token is invalid if the keys cannot be fetched.
    /// </summary>
    private sealed class RemoteKeys(string address, IConfigurationRetriever<OpenIdConnectConfiguration> retriever)
        : IConfigurationManager<OpenIdConnectConfiguration>
    {
        private readonly ConfigurationManager<OpenIdConnectConfiguration> _inner = new(
            address,
            retriever,
            // The options allow http:// for this machine only.
            new HttpDocumentRetriever { RequireHttps = address.StartsWith("https:", StringComparison.OrdinalIgnoreCase) });

        public Task<OpenIdConnectConfiguration> GetConfigurationAsync(CancellationToken cancel) => _inner.GetConfigurationAsync(cancel);

        public void RequestRefresh() => _inner.RequestRefresh();
    }

    private sealed class JwksRetriever : IConfigurationRetriever<OpenIdConnectConfiguration>
    {
        public async Task<OpenIdConnectConfiguration> GetConfigurationAsync(
            string address, IDocumentRetriever retriever, CancellationToken cancel) =>
            JwksFile.Parse(await retriever.GetDocumentAsync(address, cancel), address);
    }
}

/// <summary>The public keys of the issuer in <c>Security:Jwt:JwksFile</c>, as it is now.</summary>
internal sealed class JwksFile : IConfigurationManager<OpenIdConnectConfiguration>, IWatchedFile
{
    private readonly WatchedFile<OpenIdConnectConfiguration>? _file;

    public JwksFile(JwtOptions options)
    {
        if (options.IsOn && !string.IsNullOrEmpty(options.JwksFile))
        {
            _file = new(options.JwksFile, (content, path) => Parse(System.Text.Encoding.UTF8.GetString(content), path));
        }
    }

    /// <summary>Reads a JSON Web Key Set.</summary>
    /// <exception cref="SecurityFileException">It is not valid, or has a key that must not be public.</exception>
    public static OpenIdConnectConfiguration Parse(string json, string source)
    {
        JsonWebKeySet set;
        try
        {
            set = new(json);
        }
        catch (Exception e) when (e is ArgumentException or System.Text.Json.JsonException)
        {
            throw new SecurityFileException($"{source} must be a JSON Web Key Set: a JSON object with the list 'keys'.", e);
        }
        if (set.Keys.FirstOrDefault(key => key.Kty is not ("RSA" or "EC") || key.HasPrivateKey) is { } secret)
        {
            throw new SecurityFileException(
                $"{source} must have only public keys of the kinds RSA and EC; key '{secret.Kid}' is {(secret.HasPrivateKey ? "private" : $"'{secret.Kty}'")}.");
        }
        var configuration = new OpenIdConnectConfiguration { JsonWebKeySet = set };
        foreach (var key in set.GetSigningKeys())
        {
            configuration.SigningKeys.Add(key);
        }
        return configuration.SigningKeys.Count > 0
            ? configuration
            : throw new SecurityFileException($"{source} must have at least one key for signatures.");
    }

    public Task<OpenIdConnectConfiguration> GetConfigurationAsync(CancellationToken cancel) => Task.FromResult(_file!.Current);

    public void RequestRefresh()
    {
    }

    public void Refresh(ILogger log) => _file?.Refresh(log);
}
