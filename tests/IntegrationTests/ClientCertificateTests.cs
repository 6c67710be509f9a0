using System.Collections.Concurrent;
using System.Net;
using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.V1;
using Grpc.AspNetCore.Server;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Health.V1;
using Microsoft.Extensions.DependencyInjection;

namespace Embeddings.IntegrationTests;

/// <summary>Mutual TLS: certificates of clients.</summary>
public sealed class ClientCertificateTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly TestAuthority _clients = new("clients");

    public void Dispose()
    {
        _clients.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task A_valid_certificate_is_accepted_and_reaches_the_request()
    {
        var seen = new Seen();
        await using var secure = await StartAsync("Required", seen);
        using var certificate = _clients.Issue("CN=worker-1", TestAuthority.Client);
        using var channel = secure.Channel(certificate.Certificate);
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, (await new Health.HealthClient(channel).CheckAsync(new()).Bound()).Status);
        var answers = await new EmbeddingService.EmbeddingServiceClient(channel).StreamEmbed()
            .ExchangeAsync(Enumerable.Range(0, 5).Select(i => Items.EmbedFace($"{i}", TestImages.Crop(i))));
        Assert.All(answers, answer => Assert.NotNull(answer.Embedding));
        Assert.All(seen.Subjects, subject => Assert.Equal("CN=worker-1", subject));
        Assert.NotEmpty(seen.Subjects);

        // Where authentication is on, reflection is off.
        using var reflection = new Grpc.Reflection.V1.ServerReflection.ServerReflectionClient(channel).ServerReflectionInfo();
        Assert.Equal(StatusCode.Unimplemented, (await Assert.ThrowsAsync<RpcException>(reflection.ResponseStream.DrainAsync)).StatusCode);
    }

    [Fact]
    public async Task A_certificate_of_an_intermediate_authority_is_accepted()
    {
        await using var secure = await StartAsync("Required");
        using var team = new TestAuthority("team", _clients);
        _folder.Write("clients.crt", _clients.Pem + "\n" + team.Pem);
        using var certificate = team.Issue("CN=worker-2", TestAuthority.Client);
        await Bounds.UntilAsync(() => secure.Log.All.Any(line => line.Event == "CertificateLoaded"));
        using var channel = secure.Channel(certificate.Certificate);
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, (await new Health.HealthClient(channel).CheckAsync(new()).Bound()).Status);
    }

    [Theory]
    [InlineData("Required", "another authority", "CERTIFICATE_INVALID", "'CN=worker-1' was not issued by an accepted authority.")]
    [InlineData("Required", "signed by itself", "CERTIFICATE_INVALID", "was not issued by an accepted authority.")]
    [InlineData("Required", "expired", "CERTIFICATE_INVALID", "'CN=worker-1' has expired or is not valid yet.")]
    [InlineData("Required", "not yet valid", "CERTIFICATE_INVALID", "'CN=worker-1' has expired or is not valid yet.")]
    [InlineData("Required", "for servers", "CERTIFICATE_INVALID", "'CN=worker-1' is not for client authentication.")]
    [InlineData("Required", "none", "CERTIFICATE_MISSING", "A client certificate is required (Server:Tls:ClientCertificates), and the client sent none.")]
    [InlineData("Optional", "another authority", "CERTIFICATE_INVALID", "'CN=worker-1' was not issued by an accepted authority.")]
    public async Task Another_certificate_or_none_is_refused_with_the_reason(string mode, string kind, string reason, string message)
    {
        var seen = new Seen();
        await using var secure = await StartAsync(mode, seen);
        using var others = new TestAuthority("others");
        using var certificate = kind switch
        {
            "another authority" => others.Issue("CN=worker-1", TestAuthority.Client),
            "expired" => _clients.Issue("CN=worker-1", TestAuthority.Client, to: DateTimeOffset.UtcNow.AddMinutes(-1)),
            "not yet valid" => _clients.Issue("CN=worker-1", TestAuthority.Client, from: DateTimeOffset.UtcNow.AddDays(1)),
            "for servers" => _clients.Issue("CN=worker-1", TestAuthority.Server),
            _ => null,
        };
        var sent = kind == "signed by itself" ? others.Certificate : certificate?.Certificate;
        using var channel = secure.Channel(sent);
        AssertRefused(await Assert.ThrowsAsync<RpcException>(() => new Health.HealthClient(channel).CheckAsync(new()).Bound()));
        using var call = new EmbeddingService.EmbeddingServiceClient(channel).StreamEmbed();
        AssertRefused(await Assert.ThrowsAsync<RpcException>(call.ResponseStream.DrainAsync));

        // On the port of gRPC, also for HTTP.
        using var http = secure.Http(sent);
        using var response = await http.GetAsync($"https://127.0.0.1:{secure.GrpcPort}/healthz").Bound();
        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
        Assert.Contains(message, await response.Content.ReadAsStringAsync().Bound(), StringComparison.Ordinal);

        Assert.Empty(seen.Subjects);
        // Each refused connection is reported, once in a minute, and nothing else.
        var line = Assert.Single(secure.Log.Alarms);
        Assert.Equal("ClientCertificateRefused", line.Event);
        Assert.Contains(message, line.Text, StringComparison.Ordinal);

        void AssertRefused(RpcException error)
        {
            Assert.Equal(StatusCode.Unauthenticated, error.StatusCode);
            Assert.Contains(message, error.Status.Detail, StringComparison.Ordinal);
            Assert.Equal(reason, error.Reason());
        }
    }

    [Fact]
    public async Task Without_a_certificate_probes_are_served_on_the_port_of_HTTP_and_nothing_else()
    {
        await using var secure = await StartAsync("Required");
        using var http = secure.Http();
        foreach (var (path, status) in new[] { ("/healthz", HttpStatusCode.OK), ("/readyz", HttpStatusCode.OK), ("/", HttpStatusCode.Unauthorized), ("/healthz/more", HttpStatusCode.Unauthorized) })
        {
            using var response = await http.GetAsync($"https://127.0.0.1:{secure.HttpPort}{path}").Bound();
            Assert.Equal((path, status), (path, response.StatusCode));
        }
    }

    [Fact]
    public async Task The_subject_of_a_certificate_is_the_caller_of_its_entry()
    {
        var keys = _folder.Write("keys.json", """{ "keys": [ { "name": "worker-1", "subject": "CN=worker-1", "access": "read" } ] }""");
        await using var secure = await SecureServer.StartAsync(
            $"--Server:Tls:ClientCaFile={_folder.Write("clients.crt", _clients.Pem)}", "--Server:Tls:ClientCertificates=Required", $"--Security:KeysFile={keys}");
        using var known = _clients.Issue("CN=worker-1", TestAuthority.Client);
        using var channel = secure.Channel(known.Certificate);
        await new ModelService.ModelServiceClient(channel).ListModelsAsync(new()).Bound();
        var denied = new VectorStoreService.VectorStoreServiceClient(channel).DeleteCollectionAsync(new() { Collection = "c" });
        await denied.FailsAsync(StatusCode.PermissionDenied, "ACCESS_DENIED");
        using var unknown = _clients.Issue("CN=worker-2", TestAuthority.Client);
        using var second = secure.Channel(unknown.Certificate);
        await new ModelService.ModelServiceClient(second).ListModelsAsync(new()).FailsAsync(StatusCode.PermissionDenied, "CERTIFICATE_UNKNOWN");
    }

    [Fact]
    public async Task An_optional_certificate_can_be_omitted()
    {
        var seen = new Seen();
        await using var secure = await StartAsync("Optional", seen);
        using (var channel = secure.Channel())
        {
            Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, (await new Health.HealthClient(channel).CheckAsync(new()).Bound()).Status);
        }
        using var certificate = _clients.Issue("CN=worker-1", TestAuthority.Client);
        using var second = secure.Channel(certificate.Certificate);
        await new Health.HealthClient(second).CheckAsync(new()).Bound();
        Assert.Equal(["", "CN=worker-1"], seen.Subjects);
    }

    private async Task<SecureServer> StartAsync(string mode, Seen? seen = null) => await SecureServer.StartWithAsync(
        services => services.AddSingleton(seen ?? new Seen()).Configure<GrpcServiceOptions>(grpc => grpc.Interceptors.Add<Seen>()),
        $"--Server:Tls:ClientCaFile={_folder.Write("clients.crt", _clients.Pem)}",
        $"--Server:Tls:ClientCertificates={mode}");

    // The subjects of the certificates in the calls that reach the services.
    private sealed class Seen : Interceptor
    {
        private readonly ConcurrentQueue<string> _subjects = new();

        public IReadOnlyList<string> Subjects => [.. _subjects];

        public override Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
            TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
        {
            Add(context);
            return continuation(request, context);
        }

        public override Task DuplexStreamingServerHandler<TRequest, TResponse>(
            IAsyncStreamReader<TRequest> requestStream,
            IServerStreamWriter<TResponse> responseStream,
            ServerCallContext context,
            DuplexStreamingServerMethod<TRequest, TResponse> continuation)
        {
            Add(context);
            return continuation(requestStream, responseStream, context);
        }

        private void Add(ServerCallContext context) =>
            _subjects.Enqueue(context.GetHttpContext().Connection.ClientCertificate?.Subject ?? "");
    }
}
