using System.Net;
using Embeddings.IntegrationTests.Infrastructure;
using Grpc.Core;
using Grpc.Health.V1;

namespace Embeddings.IntegrationTests;

/// <summary>grpc.health.v1 with every name, and health over HTTP.</summary>
[Collection(SharedServer.Name)]
public sealed class HealthTests(ServerFixture server)
{
    public static TheoryData<string> Names() =>
    [
        "", "store", "store/writes", $"model/{Items.ImageModel}", $"model/{Items.FaceModel}",
        "embeddings.v1.EmbeddingService", "embeddings.v1.IngestService", "embeddings.v1.VectorStoreService", "embeddings.v1.ModelService",
    ];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Every_name_is_serving(string name)
    {
        var response = await server.Api.Health.CheckAsync(new() { Service = name }).Bound();
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, response.Status);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Watch_reports_the_status_and_stays_open(string name)
    {
        using var call = server.Api.Health.Watch(new() { Service = name });
        HealthCheckResponse.Types.ServingStatus status;
        do
        {
            status = Assert.Single(await call.ResponseStream.TakeAsync(1)).Status;
        }
        while (status != HealthCheckResponse.Types.ServingStatus.Serving);
    }

    [Fact]
    public async Task An_unknown_name_is_NOT_FOUND()
    {
        var error = await Assert.ThrowsAsync<RpcException>(() => server.Api.Health.CheckAsync(new() { Service = "model/none" }).Bound());
        Assert.Equal(StatusCode.NotFound, error.StatusCode);
        using var call = server.Api.Health.Watch(new() { Service = "model/none" });
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.ServiceUnknown, Assert.Single(await call.ResponseStream.TakeAsync(1)).Status);
    }

    [Theory]
    [InlineData("healthz", "Healthy")]
    [InlineData("readyz", "store: SERVING")]
    public async Task Health_over_HTTP_is_plain_text(string path, string expected)
    {
        using var http = new HttpClient();
        using var response = await http.GetAsync($"{server.HttpAddress}/{path}").Bound();
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Contains(expected, await response.Content.ReadAsStringAsync().Bound());
    }
}
