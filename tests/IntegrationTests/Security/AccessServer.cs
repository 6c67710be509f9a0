using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Embeddings.Core.Models;
using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.Server.Security;
using Embeddings.Testing;
using Embeddings.Testing.Models;
using Embeddings.V1;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Authentication.Certificate;
using Microsoft.Extensions.DependencyInjection;

namespace Embeddings.IntegrationTests.Security;

/// <summary>The generated clients of one caller.</summary>
internal sealed class Callers(CallInvoker invoker)
{
    public EmbeddingService.EmbeddingServiceClient Embedding { get; } = new(invoker);

    public IngestService.IngestServiceClient Ingest { get; } = new(invoker);

    public PersonService.PersonServiceClient Persons { get; } = new(invoker);

    public VectorStoreService.VectorStoreServiceClient Vectors { get; } = new(invoker);
}

/// <summary>A server with API keys, tokens and client certificates, over TLS, and with a detector.</summary>
internal sealed class AccessServer : IAsyncDisposable
{
    private readonly TempFolder _folder = new();
    private readonly TemporaryModels _models = new();
    private readonly Certificates _certificates = new();
    private readonly List<GrpcChannel> _channels = [];
    private readonly Dictionary<string, object> _entries = [];
    private StartedStore? _started;

    public Tokens Tokens { get; } = new();

    public LogLines Log { get; } = new();

    public TestServer Server => _started!.Server;

    /// <summary>The keys by their names.</summary>
    public Dictionary<string, string> Keys { get; } = [];

    private string KeysPath => _folder.File("keys.json");

    /// <summary>Adds an API key to the file that the server will read.</summary>
    public AccessServer With(string name, string access, string[]? collections = null, string? expires = null)
    {
        var key = Keys.TryGetValue(name, out var existing) ? existing : AccessKey.NewKey();
        Keys[name] = key;
        _entries[name] = new Dictionary<string, object?>
        {
            ["name"] = name,
            ["sha256"] = Convert.ToHexStringLower(AccessKey.DigestOf(key)),
            ["access"] = access,
            ["collections"] = collections ?? ["*"],
        }.Concat(expires is null ? [] : [new KeyValuePair<string, object?>("expires", expires)]).ToDictionary();
        return this;
    }

    /// <summary>Adds the subject of a client certificate.</summary>
    public AccessServer WithSubject(string name, string subject, string access)
    {
        _entries[name] = new { name, subject, access };
        return this;
    }

    /// <summary>Writes the file again, without a key if a name is given.</summary>
    public void Save(string? without = null)
    {
        if (without is not null)
        {
            _entries.Remove(without);
        }
        var temporary = _folder.Write("keys.new", JsonSerializer.Serialize(new { keys = _entries.Values }));
        File.Move(temporary, KeysPath, overwrite: true);
    }

    /// <summary>Replaces the file by text that is not valid.</summary>
    public void Break() => _folder.Write("keys.json", "{ \"keys\": [ {");

    /// <summary>Clock of the server; null for the system's.</summary>
    public TimeProvider? Clock { get; init; }

    /// <summary>Metadata with a key.</summary>
    public static Metadata Bearer(string key) => new() { { "authorization", $"Bearer {key}" } };

    /// <summary>The clients of a caller.</summary>
    public Callers As(string name) => new(Connect().Intercept(headers =>
    {
        headers.Add("authorization", $"Bearer {Keys[name]}");
        return headers;
    }));

    /// <summary>Replaces the public keys of the identity provider.</summary>
    public void SaveJwks(string json) => _folder.Write("jwks.json", json);

    /// <summary>Starts the server.</summary>
    public async Task<AccessServer> StartAsync(string store = "embedded", params string[] args)
    {
        Save();
        var jwks = _folder.Write("jwks.json", Tokens.Jwks);
        AddDetector(_models);
        _started = await StartedStore.StartAsync(
            store,
            services =>
            {
                Log.Replace(services);
                _certificates.Listen(services);
                if (Clock is not null)
                {
                    services.AddSingleton(Clock);
                }
                services.PostConfigure<CertificateAuthenticationOptions>(
                    CertificateAuthenticationDefaults.AuthenticationScheme,
                    options => options.CustomTrustStore = [_certificates.Authority]);
            },
            [
                $"--Security:KeysFile={KeysPath}",
                "--Security:ReloadSeconds=1",
                "--Server:Reflection=true",
                $"--Security:Jwt:Issuer={Tokens.Issuer}",
                $"--Security:Jwt:Audience={Tokens.Audience}",
                $"--Security:Jwt:JwksFile={jwks}",
                $"--Models:Directories:0={_models.Folder}",
                "--Logging:LogLevel:Default=Trace",
                "--Logging:LogLevel:Microsoft.AspNetCore=Trace",
                "--Logging:LogLevel:Microsoft.AspNetCore.Authentication=Trace",
                "--Logging:LogLevel:Microsoft.IdentityModel=Trace",
                "--Logging:LogLevel:Grpc=Trace",
                .. args,
            ]);
        return this;
    }

    /// <summary>A connection, which shows a certificate if a subject is given.</summary>
    public GrpcChannel Connect(string? subject = null)
    {
        X509Certificate2? certificate = subject is null ? null : _certificates.Issue(subject);
        var channel = GrpcChannel.ForAddress(Server.Address, new() { HttpHandler = _certificates.Client(certificate), DisposeHttpClient = true });
        _channels.Add(channel);
        return channel;
    }

    public async ValueTask DisposeAsync()
    {
        _channels.ForEach(channel => channel.Dispose());
        if (_started is not null)
        {
            await _started.DisposeAsync();
        }
        Tokens.Dispose();
        _certificates.Dispose();
        _models.Dispose();
        _folder.Dispose();
    }

    // Finds one face with landmarks in every photo.
    private static void AddDetector(TemporaryModels models)
    {
        const int Stride = 160;
        var input = new InputSpec { Width = 320, Height = 240 };
        float[] face = [.. ((float[])[38.3f, 51.7f, 73.5f, 51.5f, 56, 71.7f, 41.5f, 92.4f, 70.7f, 92.2f])
            .Select((value, i) => ((value * 100 / 112) + (i % 2 == 0 ? 20 : 30)) / Stride)];
        FixedOutput[] outputs =
        [
            new("scores", [0.96f, 0, 0, 0], 1),
            new("boxes", FixedOutputs.Rows(4, 4, 0, (0, [-20f / Stride, -30f / Stride, 120f / Stride, 130f / Stride])), 4),
            new("points", FixedOutputs.Rows(4, 10, 0, (0, face)), 10),
        ];
        models.Save(
            FixedOutputs.Graph(input, outputs),
            FixedOutputs.Manifest(Core.ModelKind.Detector, input, "one-face") with
            {
                Detector = new()
                {
                    Boxes = BoxCoding.Distances,
                    Strides = [Stride],
                    Outputs = new() { Scores = ["scores"], Boxes = ["boxes"], Keypoints = ["points"] },
                    Nms = 0.4f,
                    MinConfidence = 0.7f,
                    MinFace = 16,
                    MaxFace = 200,
                },
            });
    }
}
