using System.Net;
using System.Net.Sockets;
using System.Text;
using Embeddings.IntegrationTests.Infrastructure;
using Grpc.Core;
using Grpc.Health.V1;

namespace Embeddings.IntegrationTests;

/// <summary>A client that speaks the wrong protocol on a port learns the right one.</summary>
public sealed class WrongPortTests : IAsyncLifetime
{
    // The beginning of a ClientHello.
    private static readonly byte[] ClientHello = [0x16, 0x03, 0x01, 0x02, 0x00, 0x01];

    private readonly LogLines _log = new();
    private TestServer? _server;

    private int GrpcPort => new Uri(_server!.Address).Port;

    private int HttpPort => new Uri(_server!.HttpAddress).Port;

    public async ValueTask InitializeAsync() => _server = await TestServer.StartWithAsync(_log.Replace, "--Logging:LogLevel:Default=Warning");

    public async ValueTask DisposeAsync() => await _server!.DisposeAsync();

    [Fact]
    public async Task GRPC_on_the_health_port_is_answered_with_the_port_of_gRPC()
    {
        using var api = new Api(_server!.HttpAddress);
        var unary = await Assert.ThrowsAsync<RpcException>(() => api.Health.CheckAsync(new()).Bound());
        AssertPort(unary.Status);
        using var call = api.Embedding.StreamEmbed();
        var stream = await Assert.ThrowsAsync<RpcException>(call.ResponseStream.DrainAsync);
        AssertPort(stream.Status);
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, (await _server.Api.Health.CheckAsync(new()).Bound()).Status);

        void AssertPort(Status status) => Assert.Equal(
            (StatusCode.Unimplemented, $"This port serves HTTP (/healthz, /readyz). gRPC is on port {GrpcPort}."),
            (status.StatusCode, status.Detail));
    }

    [Fact]
    public async Task HTTP_on_the_gRPC_port_is_answered_with_the_port_of_HTTP()
    {
        using var http = new HttpClient();
        using var response = await http.GetAsync($"{_server!.Address}/readyz").Bound();
        Assert.Equal(HttpStatusCode.MisdirectedRequest, response.StatusCode);
        Assert.Equal(
            $"This port serves gRPC over HTTP/2. HTTP (/healthz, /readyz) is on port {HttpPort}.\n",
            await response.Content.ReadAsStringAsync().Bound());
    }

    [Fact]
    public async Task HTTP_on_the_gRPC_port_of_a_server_without_HTTP_is_refused()
    {
        await using var server = await TestServer.StartAsync("--Server:HttpPort=-1");
        using var http = new HttpClient();
        using var response = await http.GetAsync($"{server.Address}/readyz").Bound();
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
    }

    [Fact]
    public async Task TLS_on_a_port_without_TLS_is_answered_and_logged_once()
    {
        foreach (var port in (int[])[GrpcPort, HttpPort])
        {
            for (var i = 0; i < 20; i++)
            {
                using var client = new TcpClient();
                await client.ConnectAsync(IPAddress.Loopback, port).Bound();
                await client.GetStream().WriteAsync(ClientHello).AsTask().Bound();
                using var answer = new StreamReader(client.GetStream(), Encoding.ASCII);
                Assert.Contains("This port is without TLS. Use http://", await answer.ReadToEndAsync().Bound());
            }
        }
        var line = Assert.Single(_log.Alarms);
        Assert.Equal("TlsRefused", line.Event);
        Assert.Contains($"uses TLS on port {GrpcPort}, which is without TLS", line.Text);

        using var https = new HttpClient();
        await Assert.ThrowsAsync<HttpRequestException>(() => https.GetAsync($"https://127.0.0.1:{HttpPort}/readyz").Bound());
    }
}
