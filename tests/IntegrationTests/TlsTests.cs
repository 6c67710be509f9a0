using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Text;
using System.Text.RegularExpressions;
using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.V1;
using Grpc.Core;
using Grpc.Health.V1;
using Grpc.Net.Client;

namespace Embeddings.IntegrationTests;

/// <summary>TLS on both ports.</summary>
public sealed partial class TlsTests : IAsyncLifetime
{
    private const int Items = 100_000;

    private SecureServer? _secure;

    public async ValueTask InitializeAsync() => _secure = await SecureServer.StartAsync();

    public async ValueTask DisposeAsync() => await _secure!.DisposeAsync();

    [Fact]
    public async Task Both_ports_use_TLS_1_2_and_1_3_and_offer_HTTP_2_and_HTTP_1()
    {
        foreach (var port in (int[])[_secure!.GrpcPort, _secure.HttpPort])
        {
            foreach (var version in (SslProtocols[])[SslProtocols.Tls12, SslProtocols.Tls13])
            {
                await using var h2 = await _secure.ConnectAsync(port, version, null, SslApplicationProtocol.Http2, SslApplicationProtocol.Http11);
                Assert.Equal((version, SslApplicationProtocol.Http2), (h2.SslProtocol, h2.NegotiatedApplicationProtocol));
                await using var http1 = await _secure.ConnectAsync(port, version, null, SslApplicationProtocol.Http11);
                Assert.Equal(SslApplicationProtocol.Http11, http1.NegotiatedApplicationProtocol);
            }
        }
    }

    [Fact]
    public async Task An_older_version_of_TLS_is_refused()
    {
#pragma warning disable SYSLIB0039, CA5397 // The version is the subject of the test.
        await Assert.ThrowsAnyAsync<Exception>(() => _secure!.ConnectAsync(_secure.GrpcPort, SslProtocols.Tls11));
#pragma warning restore SYSLIB0039, CA5397
        // A ClientHello of TLS 1.1 without extensions, since the machine's own library may refuse to send one.
        byte[] hello = [0x03, 0x02, .. new byte[32], 0x00, 0x00, 0x04, 0xC0, 0x13, 0x00, 0x2F, 0x01, 0x00];
        byte[] record = [0x16, 0x03, 0x01, 0x00, (byte)(hello.Length + 4), 0x01, 0x00, 0x00, (byte)hello.Length, .. hello];
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, _secure!.GrpcPort).Bound();
        await client.GetStream().WriteAsync(record).AsTask().Bound();
        var answer = new byte[1024];
        var count = await ReadAsync(client.GetStream(), answer);
        // An alert, protocol_version, or the end; never a ServerHello (a handshake record).
        Assert.True(count == 0 || answer[0] == 0x15, $"the answer begins with {answer[0]:x2}");
    }

    [Fact]
    public async Task Openssl_negotiates_HTTP_2()
    {
        (int Code, string Output) result;
        try
        {
            result = await ChildProcess.RunAsync("sh", ["-c", $"openssl s_client -alpn h2 -connect 127.0.0.1:{_secure!.GrpcPort} -CAfile '{_secure.CaFile}' -verify_return_error </dev/null"]);
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Assert.Skip("there is no shell");
            return;
        }
        if (result.Code == 127)
        {
            Assert.Skip("openssl is not installed; the other tests use SslStream");
        }
        Assert.True(result.Code == 0, result.Output);
        Assert.Contains("ALPN protocol: h2", result.Output, StringComparison.Ordinal);
        Assert.Contains("Verify return code: 0 (ok)", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Calls_streams_and_health_are_served()
    {
        using var channel = _secure!.Channel();
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, (await new Health.HealthClient(channel).CheckAsync(new()).Bound()).Status);
        var answers = await new EmbeddingService.EmbeddingServiceClient(channel).StreamEmbed()
            .ExchangeAsync(Enumerable.Range(0, 20).Select(i => Infrastructure.Items.EmbedFace($"{i}", TestImages.Crop(i))));
        Assert.All(answers, answer => Assert.NotNull(answer.Embedding));

        using var http = _secure.Http();
        foreach (var url in (string[])[$"https://127.0.0.1:{_secure.GrpcPort}/readyz", $"https://127.0.0.1:{_secure.HttpPort}/readyz", $"https://127.0.0.1:{_secure.GrpcPort}/healthz"])
        {
            using var response = await http.GetAsync(url).Bound();
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        }
    }

    [Fact]
    public async Task One_port_is_enough()
    {
        await using var secure = await SecureServer.StartAsync("--Server:HttpPort=-1");
        using var http = secure.Http();
        Assert.Contains("server: SERVING", await http.GetStringAsync($"https://127.0.0.1:{secure.GrpcPort}/readyz").Bound(), StringComparison.Ordinal);
        using var channel = secure.Channel();
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, (await new Health.HealthClient(channel).CheckAsync(new()).Bound()).Status);
    }

    [Fact]
    public async Task Calls_on_the_port_of_HTTP_are_answered_with_the_port_of_gRPC()
    {
        using var channel = GrpcChannel.ForAddress($"https://127.0.0.1:{_secure!.HttpPort}", new() { HttpClient = _secure.Http(), DisposeHttpClient = true });
        var error = await Assert.ThrowsAsync<RpcException>(() => new Health.HealthClient(channel).CheckAsync(new()).Bound());
        Assert.Equal(
            (StatusCode.Unimplemented, $"This port serves HTTP (/healthz, /readyz). gRPC is on port {_secure.GrpcPort}."),
            (error.StatusCode, error.Status.Detail));
    }

    [Fact]
    public async Task Clear_text_is_answered_and_logged_once()
    {
        foreach (var port in (int[])[_secure!.GrpcPort, _secure.HttpPort])
        {
            using var api = new Api($"http://127.0.0.1:{port}");
            var unary = await Assert.ThrowsAsync<RpcException>(() => api.Health.CheckAsync(new()).Bound());
            AssertHttps(unary);
            using var call = api.Embedding.StreamEmbed();
            AssertHttps(await Assert.ThrowsAsync<RpcException>(call.ResponseStream.DrainAsync));

            using var http = new HttpClient();
            using var response = await http.GetAsync($"http://127.0.0.1:{port}/readyz").Bound();
            Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
            Assert.Equal("This port uses TLS. Use https:// instead of http://.\n", await response.Content.ReadAsStringAsync().Bound());
            using var body = new ByteArrayContent(new byte[200_000]);
            using var post = await http.PostAsync($"http://127.0.0.1:{port}/", body).Bound();
            Assert.Equal(HttpStatusCode.BadRequest, post.StatusCode);

            // What is no protocol at all gets the answer of HTTP/1.1.
            using var client = new TcpClient();
            await client.ConnectAsync(IPAddress.Loopback, port).Bound();
            await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes("hello\n")).AsTask().Bound();
            var answer = new byte[4096];
            var count = await ReadAsync(client.GetStream(), answer);
            Assert.Contains("Use https://", Encoding.ASCII.GetString(answer, 0, count), StringComparison.Ordinal);
        }
        var line = Assert.Single(_secure.Log.Alarms, line => line.Event == "ClearTextRefused");
        Assert.Contains($"sends clear text to port {_secure.GrpcPort}, which uses TLS", line.Text, StringComparison.Ordinal);

        static void AssertHttps(RpcException error) => Assert.Equal(
            (StatusCode.Unimplemented, "This port uses TLS. Use https:// instead of http://."), (error.StatusCode, error.Status.Detail));
    }

    [Fact]
    public async Task A_replaced_certificate_is_served_while_a_stream_of_100_000_items_runs()
    {
        var before = await SubjectAsync();
        using var channel = _secure!.Channel();
        using var call = new VectorStoreService.VectorStoreServiceClient(channel).StreamUpsertVectors();
        var collection = ServerFixture.NewCollection();
        var failed = 0;
        var answered = 0;
        var reading = Task.Run(async () =>
        {
            while (await call.ResponseStream.MoveNext(CancellationToken.None))
            {
                failed += call.ResponseStream.Current.Error is null ? 0 : 1;
                answered++;
            }
        });
        await SendAsync(0, Items / 2);

        using var next = _secure.Authority.Issue("CN=replaced");
        _secure.Replace(next);
        for (var subject = before; subject != "CN=replaced"; subject = await SubjectAsync())
        {
            await Task.Delay(100);
            await SendAsync(0, 1);
        }
        await SendAsync(Items / 2, Items);
        await call.RequestStream.CompleteAsync().Bound();
        await reading.Bound();

        Assert.Equal(StatusCode.OK, call.GetStatus().StatusCode);
        Assert.True(answered >= Items, $"{answered} answers");
        Assert.Equal(0, failed);
        var count = await new VectorStoreService.VectorStoreServiceClient(channel).CountVectorsAsync(new() { Collection = collection }).Bound();
        Assert.Equal(Items, count.Count);
        Assert.Contains(_secure.Log.All, line => line.Event == "CertificateLoaded" && line.Text.Contains("CN=replaced", StringComparison.Ordinal));

        async Task SendAsync(int from, int to)
        {
            for (var i = from; i < to; i++)
            {
                await call.RequestStream.WriteAsync(Infrastructure.Items.Upsert(collection, $"p{i}", [1, i, 2, 3])).Bound();
            }
        }
    }

    [Fact]
    public async Task The_example_of_the_page_about_TLS_works()
    {
        using var folder = new TempFolder();
        var page = await File.ReadAllTextAsync(Path.Combine(Repository.Root, "docs", "tls.md"));
        var blocks = Block().Matches(page).Select(match => (Kind: match.Groups[1].Value.Trim(), Text: match.Groups[2].Value)).ToList();
        foreach (var (_, script) in blocks.Where(block => block.Kind.Length == 0))
        {
            var (code, output) = await ChildProcess.RunAsync("sh", ["-ec", script], folder.Path);
            Assert.SkipWhen(code == 127, "openssl is not installed");
            Assert.True(code == 0, output);
        }
        var tools = Environment.GetEnvironmentVariable("GRPCURL") is { } grpcurl ? $"{Path.GetDirectoryName(grpcurl)}:" : "";
        var path = $"{tools}{Environment.GetEnvironmentVariable("PATH")}";
        foreach (var kind in (string[])["", "-mutual"])
        {
            var settings = Setting().Matches(Of($"serve{kind}")).Select(match => $"--{match.Groups[1].Value}={folder.File(match.Groups[2].Value)}")
                .Concat(Of($"serve{kind}").Contains("=Required", StringComparison.Ordinal) ? ["--Server:Tls:ClientCertificates=Required"] : []);
            await using var server = await TestServer.StartAsync([.. settings]);
            var port = $"{new Uri(server.Address).Port}";
            foreach (var line in Of($"call{kind}").Split('\n', StringSplitOptions.RemoveEmptyEntries))
            {
                var program = line.Split(' ')[0];
                var command = line.Replace("50051", port, StringComparison.Ordinal)
                    .Replace("./embeddings", $"dotnet '{Path.Combine(AppContext.BaseDirectory, "Embeddings.Cli.dll")}'", StringComparison.Ordinal);
                var (code, output) = await ChildProcess.RunAsync("sh", ["-c", command], folder.Path, [new("PATH", path)]);
                // A program that is not installed.
                Assert.True(code == 0 || (code == 127 && program is "curl" or "grpcurl"), $"{line}: {output}");
            }
        }

        string Of(string kind) => blocks.Single(block => block.Kind == kind).Text;
    }

    [Theory]
    [InlineData(true, 0)]
    [InlineData(true, -1)]
    [InlineData(false, 0)]
    public async Task The_health_check_of_the_image_works(bool withTls, int httpPort)
    {
        var dockerfile = await File.ReadAllTextAsync(Path.Combine(Repository.Root, "deploy", "Dockerfile"));
        var check = HealthCheck().Match(dockerfile.Replace("\\\n", "", StringComparison.Ordinal)).Groups[1].Value;
        await using var secure = withTls ? await SecureServer.StartAsync($"--Server:HttpPort={httpPort}") : null;
        await using var clear = withTls ? null : await TestServer.StartAsync();
        var server = secure?.Server ?? clear!;
        var environment = new Dictionary<string, string>
        {
            ["EMBEDDINGS_Server__HttpPort"] = httpPort < 0 ? "-1" : $"{new Uri(server.HttpAddress).Port}",
            ["EMBEDDINGS_Server__GrpcPort"] = $"{new Uri(server.Address).Port}",
            ["EMBEDDINGS_Server__Tls__CertificateFile"] = withTls ? "tls.crt" : "",
        };
        var (code, output) = await ChildProcess.RunAsync("sh", ["-c", check], environment: environment);
        Assert.True(code == 0, $"exit code {code}: {output}");
        await server.StopAsync();
        Assert.NotEqual(0, (await ChildProcess.RunAsync("sh", ["-c", check], environment: environment)).Code);
    }

    [Fact]
    public async Task A_server_for_other_machines_does_not_start_without_TLS_and_authentication()
    {
        using var folder = new TempFolder();
        var (code, output) = await ServerProcess.FailAsync(folder.File("data"), "--Server:Listen=0.0.0.0");
        Assert.Equal(1, code);
        Assert.StartsWith("embeddings: Server:Listen is '0.0.0.0', which other machines can reach, and the server is without TLS and authentication. Set ", output, StringComparison.Ordinal);
        Assert.False(Directory.Exists(folder.File("data")), "the store was opened");
    }

    [Fact]
    public async Task Reflection_can_be_turned_off()
    {
        await using var server = await TestServer.StartAsync("--Server:Reflection=false");
        using var call = new Grpc.Reflection.V1.ServerReflection.ServerReflectionClient(server.Api.Channel).ServerReflectionInfo();
        var error = await Assert.ThrowsAsync<RpcException>(call.ResponseStream.DrainAsync);
        Assert.Equal(StatusCode.Unimplemented, error.StatusCode);
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, (await server.Api.Health.CheckAsync(new()).Bound()).Status);
    }

    private async Task<string> SubjectAsync()
    {
        await using var stream = await _secure!.ConnectAsync(_secure.GrpcPort);
        return stream.RemoteCertificate!.Subject;
    }

    // 0 if the connection ends or is reset.
    private static async Task<int> ReadAsync(NetworkStream stream, byte[] buffer)
    {
        try
        {
            return await stream.ReadAsync(buffer).AsTask().Bound();
        }
        catch (IOException)
        {
            return 0;
        }
    }

    [GeneratedRegex("^```sh(.*)\\n((?:.*\\n)*?)```$", RegexOptions.Multiline)]
    private static partial Regex Block();

    [GeneratedRegex(@"--([\w:]+File)=(\S+)")]
    private static partial Regex Setting();

    [GeneratedRegex("^HEALTHCHECK .*? CMD (.*)$", RegexOptions.Multiline)]
    private static partial Regex HealthCheck();
}
