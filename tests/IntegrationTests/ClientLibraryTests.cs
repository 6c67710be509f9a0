using Embeddings.Client;
using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.V1;

namespace Embeddings.IntegrationTests;

/// <summary>The .NET client library with a real server. Its own tests use a test double that fails on demand.</summary>
[Collection(SharedServer.Name)]
public sealed class ClientLibraryTests(ServerFixture server)
{
    [Fact]
    public async Task A_job_is_ingested_searched_and_deleted()
    {
        var collection = ServerFixture.NewCollection();
        using var client = EmbeddingsClient.ForAddress(server.Address);
        await client.WaitUntilServingAsync(Bounds.Limit).Bound();
        var acked = new List<string>();
        using var limit = new CancellationTokenSource(Bounds.Limit);
        await foreach (var answer in client.StreamIngestAsync(Requests(collection), limit.Token))
        {
            acked.Add(answer.Ack.PointId);
        }
        Assert.Equal(Enumerable.Range(0, 200).Select(i => $"client-{i}"), acked);
        Assert.Equal(200, await client.CountVectorsAsync(collection).Bound());

        var found = await client.SearchVectorsAsync(new() { Collection = collection, Queries = { new SearchQuery { Face = TestImages.Crop(77) } }, Limit = 1 }).Bound();
        Assert.Equal("client-77", found.Results[0].Points[0].Point.PointId);
        Assert.Equal(200, (await client.DeleteByJobIdAsync(new DeleteByJobIdRequest { JobId = "client", Collection = collection }).Bound()).DeletedCount);
    }

    [Fact]
    public async Task An_error_has_its_status_and_reason()
    {
        using var client = EmbeddingsClient.ForAddress(server.Address);
        var error = await Assert.ThrowsAsync<EmbeddingsException>(() => client.EmbedFaceAsync(new EmbedFaceRequest { Face = TestImages.FloatCrop(float.NaN) }).Bound());
        Assert.Equal(Grpc.Core.StatusCode.InvalidArgument, error.Status);
        Assert.Equal("PIXELS_NOT_FINITE", error.Reason);
    }

    private static async IAsyncEnumerable<StreamIngestRequest> Requests(string collection)
    {
        for (var i = 0; i < 200; i++)
        {
            await Task.Yield();
            yield return Items.IngestFace(collection, "client", i, TestImages.Crop(i));
        }
    }
}
