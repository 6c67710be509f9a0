using Embeddings.V1;
using Microsoft.Extensions.AI;

namespace Embeddings.Client.Tests;

/// <summary>Code of users that is tested without a server.</summary>
public sealed class FakeClientTests
{
    [Fact]
    public async Task TheNearestImageIsReturned()
    {
        using var client = new FakeClient();

        Assert.Equal("job-1", await NearestAsync(client, [1, 0, 0]));
    }

    [Fact]
    public async Task AnEmbeddingGeneratorUsesTheOverriddenMembers()
    {
        using var client = new FakeEmbeddingClient();
        var generator = client.AsEmbeddingGenerator(ModelKind.Image);

        var embedding = Assert.Single(await generator.GenerateAsync([new DataContent(new byte[] { 1 }, "image/jpeg")]));

        Assert.Equal([1, 0, 0], embedding.Vector.ToArray());
    }

    [Fact]
    public async Task MembersThatAreNotOverriddenThrow()
    {
        using var client = new FakeClient();

        await Assert.ThrowsAsync<NotImplementedException>(() => client.CountVectorsAsync("images"));
        await Assert.ThrowsAsync<NotImplementedException>(
            () => client.StreamIngestAsync(AsyncEnumerable.Empty<StreamIngestRequest>()).ToListAsync().AsTask());
        await Assert.ThrowsAsync<NotImplementedException>(() => client.WaitUntilServingAsync(TimeSpan.FromSeconds(1)));
    }

    private static async Task<string> NearestAsync(EmbeddingsClient client, float[] vector)
    {
        var found = await client.SearchVectorsAsync("images", vector, limit: 1);
        return found[0].Point.PointId;
    }
}

internal sealed class FakeClient : EmbeddingsClient
{
    public override Task<SearchVectorsResponse> SearchVectorsAsync(
        SearchVectorsRequest request, CancellationToken cancellationToken = default)
    {
        var nearest = new ScoredPoint { Score = 1, Point = new VectorPoint { PointId = "job-1" } };
        return Task.FromResult(new SearchVectorsResponse { Results = { new SearchResult { Points = { nearest } } } });
    }
}

internal sealed class FakeEmbeddingClient : EmbeddingsClient
{
    public override IAsyncEnumerable<StreamEmbedResponse> StreamEmbedAsync(
        IAsyncEnumerable<StreamEmbedRequest> requests, CancellationToken cancellationToken = default) =>
        requests.Select(request => new StreamEmbedResponse
        {
            ItemId = request.ItemId,
            Embedding = new V1.Embedding { Values = { 1, 0, 0 } },
        });
}
