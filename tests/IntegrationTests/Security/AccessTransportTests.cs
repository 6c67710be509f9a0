using System.Net;
using System.Net.Http.Headers;
using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.Server.Security;
using Embeddings.V1;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Embeddings.IntegrationTests.Security;

/// <summary>Refusals on the wire, and the keys of an issuer at an address.</summary>
public sealed class AccessTransportTests
{
    [Theory]
    [InlineData("embeddings.v1.EmbeddingService/EmbedImage")]
    [InlineData("embeddings.v1.EmbeddingService/StreamEmbed")]
    [InlineData("embeddings.v1.IngestService/StreamIngest")]
    [InlineData("embeddings.v1.PersonService/ClusterFaces")]
    [InlineData("embeddings.v1.NoService/NoMethod")]
    public async Task A_call_without_credentials_is_answered_before_its_message_has_arrived(string method)
    {
        using var folder = new TempFolder();
        await using var server = await StartAsync(folder);
        // A message of 16 MiB, of which nothing but the length and some bytes is sent.
        using var call = new HeldCall(server.Address, method, [0, 1, 0, 0, 0, 10, 20]);
        var (code, reason, _) = await call.EndAsync();
        Assert.Equal((StatusCode.Unauthenticated, "KEY_MISSING"), (code, reason));
        // Not even what is wrong with a message.
        var (status, message) = await RawCall.PostAsync(server.Address, method, [7, 7, 7]);
        Assert.Equal($"{(int)StatusCode.Unauthenticated}", status);
        Assert.StartsWith("The call has no credentials", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("embeddings.v1.EmbeddingService/EmbedImage")]
    [InlineData("embeddings.v1.EmbeddingService/StreamEmbed")]
    public async Task A_refusal_is_in_the_headers_alone(string method)
    {
        using var folder = new TempFolder();
        await using var server = await StartAsync(folder);
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Post, $"{server.Address}/{method}")
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent(RawCall.Frame(new EmbedImageRequest().ToByteArray())),
        };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/grpc");
        request.Headers.TryAddWithoutValidation("x-api-key", "wrong");
        using var response = await http.SendAsync(request).Bound();
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("application/grpc", response.Content.Headers.ContentType?.MediaType);
        Assert.Equal("16", response.Headers.GetValues("grpc-status").Single());
        Assert.Empty(await response.Content.ReadAsByteArrayAsync().Bound());
        Assert.Empty(response.TrailingHeaders);
    }

    [Fact]
    public async Task Health_needs_no_key_and_other_pages_do()
    {
        using var folder = new TempFolder();
        await using var server = await StartAsync(folder);
        using var http = new HttpClient();
        Assert.Equal(HttpStatusCode.OK, (await http.GetAsync($"{server.HttpAddress}/healthz").Bound()).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await http.GetAsync($"{server.HttpAddress}/readyz").Bound()).StatusCode);
        await server.Api.Health.CheckAsync(new()).Bound();
        using var other = await http.GetAsync($"{server.HttpAddress}/other").Bound();
        Assert.Equal(HttpStatusCode.Unauthorized, other.StatusCode);
        Assert.Equal("Bearer", other.Headers.WwwAuthenticate.Single().Scheme);
    }

    [Fact]
    public async Task Methods_that_do_not_exist_are_not_implemented_for_callers()
    {
        using var folder = new TempFolder();
        var key = AccessKey.NewKey();
        await using var server = await StartAsync(folder, key);
        var text = Marshallers.Create(static (byte[] value) => value, static value => value);
        var method = new Method<byte[], byte[]>(MethodType.Unary, "embeddings.v1.NoService", "NoMethod", text, text);
        using var call = server.Api.Channel.CreateCallInvoker().AsyncUnaryCall(method, null, new(AccessServer.Bearer(key)), []);
        var error = await Assert.ThrowsAsync<RpcException>(call.Bound);
        Assert.Equal(StatusCode.Unimplemented, error.StatusCode);
    }

    [Fact]
    public async Task Credentials_are_sent_once()
    {
        using var folder = new TempFolder();
        var key = AccessKey.NewKey();
        await using var server = await StartAsync(folder, key);
        Metadata twice = new() { { "authorization", $"Bearer {key}" }, { "x-api-key", key } };
        await server.Api.Models.ListModelsAsync(new(), twice).FailsAsync(StatusCode.Unauthenticated, "KEY_INVALID");
        foreach (var (name, value) in ((string, string)[])[("authorization", $"bearer {key}"), ("x-api-key", key)])
        {
            await server.Api.Models.ListModelsAsync(new(), new Metadata { { name, value } }).Bound();
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_keys_of_the_issuer_come_from_an_address(bool discovered)
    {
        using var tokens = new Tokens();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        await using var issuer = builder.Build();
        issuer.Urls.Add("http://127.0.0.1:0");
        issuer.MapGet("/keys", () => Results.Content(tokens.Jwks, "application/json"));
        issuer.MapGet(
            "/.well-known/openid-configuration",
            (HttpRequest request) => Results.Content(
                $$"""{ "issuer": "{{Tokens.Issuer}}", "jwks_uri": "http://{{request.Host}}/keys" }""", "application/json"));
        await issuer.StartAsync();
        var address = issuer.Urls.Single();
        await using var server = await TestServer.StartAsync(
            $"--Security:Jwt:Issuer={Tokens.Issuer}",
            $"--Security:Jwt:Audience={Tokens.Audience}",
            discovered ? $"--Security:Jwt:Authority={address}" : $"--Security:Jwt:JwksAddress={address}/keys");
        await server.Api.Models.ListModelsAsync(new(), AccessServer.Bearer(tokens.Issue("read", ["*"]))).Bound();
        using var other = new Tokens();
        await server.Api.Models.ListModelsAsync(new(), AccessServer.Bearer(other.Issue("read", ["*"])))
            .FailsAsync(StatusCode.Unauthenticated, "TOKEN_INVALID");
        // Keys of the file are not configured: a key is unknown, and not a broken token.
        await server.Api.Models.ListModelsAsync(new(), AccessServer.Bearer(AccessKey.NewKey())).FailsAsync(StatusCode.Unauthenticated, "KEY_INVALID");
    }

    [Fact]
    public async Task Without_the_keys_of_the_issuer_tokens_can_be_tried_again()
    {
        using var tokens = new Tokens();
        await using var server = await TestServer.StartAsync(
            $"--Security:Jwt:Issuer={Tokens.Issuer}", $"--Security:Jwt:Audience={Tokens.Audience}", "--Security:Jwt:JwksAddress=http://127.0.0.1:1/keys");
        var error = await server.Api.Models.ListModelsAsync(new(), AccessServer.Bearer(tokens.Issue("read", ["*"])))
            .FailsAsync(StatusCode.Unavailable, "ISSUER_UNAVAILABLE");
        Assert.NotNull(error.Detail<Google.Rpc.RetryInfo>());
    }

    private static Task<TestServer> StartAsync(TempFolder folder, string? key = null)
    {
        var digest = Convert.ToHexStringLower(AccessKey.DigestOf(key ?? AccessKey.NewKey()));
        var file = folder.Write("keys.json", $$"""{ "keys": [ { "name": "caller", "sha256": "{{digest}}", "access": "read" } ] }""");
        return TestServer.StartAsync($"--Security:KeysFile={file}");
    }
}
