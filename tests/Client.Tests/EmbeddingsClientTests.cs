using Embeddings.Client.Tests.Doubles;
using Embeddings.V1;
using Google.Protobuf.Reflection;
using Grpc.Core;
using Grpc.Health.V1;

namespace Embeddings.Client.Tests;

public sealed class EmbeddingsClientTests
{
    private static readonly ServiceDescriptor[] Services =
    [
        EmbeddingService.Descriptor, IngestService.Descriptor, VectorStoreService.Descriptor, ModelService.Descriptor,
        FaceService.Descriptor, PersonService.Descriptor,
    ];

    public static TheoryData<string> UnaryRpcs => new(Rpcs(streaming: false).Select(method => method.Name));

    [Fact]
    public void EveryRpcOfTheContractHasAMethod()
    {
        foreach (var rpc in Rpcs(streaming: false))
        {
            var method = typeof(EmbeddingsClient).GetMethod($"{rpc.Name}Async", [rpc.InputType.ClrType, typeof(CancellationToken)]);
            Assert.Equal(typeof(Task<>).MakeGenericType(rpc.OutputType.ClrType), method?.ReturnType);
        }

        foreach (var rpc in Rpcs(streaming: true))
        {
            var requests = typeof(IAsyncEnumerable<>).MakeGenericType(rpc.InputType.ClrType);
            var method = typeof(EmbeddingsClient).GetMethod($"{rpc.Name}Async", [requests, typeof(CancellationToken)]);
            Assert.Equal(typeof(IAsyncEnumerable<>).MakeGenericType(rpc.OutputType.ClrType), method?.ReturnType);
        }

        var answersWithStream = Assert.Single(Services.SelectMany(service => service.Methods), rpc => rpc.IsServerStreaming && !rpc.IsClientStreaming);
        Assert.Equal(("ClusterFaces", true), (answersWithStream.Name, typeof(EmbeddingsClient).GetMethod("ClusterFacesAsync")!.IsVirtual));
    }

    [Theory]
    [MemberData(nameof(UnaryRpcs))]
    public async Task EachMethodCallsItsRpc(string name)
    {
        await using var server = await ServerDouble.StartAsync(new Behaviour { Models = { new Model() } });
        using var client = server.Client();
        var rpc = Rpcs(streaming: false).Single(method => method.Name == name);

        var call = (Task)typeof(EmbeddingsClient).GetMethod($"{name}Async", [rpc.InputType.ClrType, typeof(CancellationToken)])!
            .Invoke(client, [Activator.CreateInstance(rpc.InputType.ClrType), CancellationToken.None])!;
        await call;

        Assert.Equal([name], server.Behaviour.Calls);
    }

    [Fact]
    public async Task TheShorterFormsFillTheRequest()
    {
        await using var server = await ServerDouble.StartAsync(new Behaviour { Points = { new VectorPoint(), new VectorPoint() } });
        using var client = EmbeddingsClient.ForAddress(server.Address);

        var image = await client.EmbedImageAsync(new byte[] { 1, 2, 3 }, "m");
        Assert.Equal((3f, "m"), (image.Embedding.Values[0], image.Embedding.Model));
        Assert.True((await client.EmbedFaceAsync(new byte[] { 1 })).Embedding.UnitLength);
        Assert.Equal("j", (await client.IngestImageAsync("j", new byte[] { 1 }, "media")).Ack.PointId);
        Assert.Equal("p", (await client.GetVectorAsync("c", "p")).PointId);
        Assert.Equal(2, await client.CountVectorsAsync("c"));
        Assert.Equal(6f, Assert.Single(await client.SearchVectorsAsync("c", new float[] { 1, 2, 3 })).Score);
        Assert.Equal(7, await client.DeleteByJobIdAsync("j"));
        Assert.Equal(["a", "b"], (await client.GetVectorsAsync("c", ["a", "b"])).Select(point => point.PointId));
        Assert.Equal(2, await client.SetAttributesAsync("c", ["a", "b"], new Dictionary<string, object?> { ["tag"] = "red" }));
        Assert.Equal("{ \"tag\": \"red\" }", ((SetAttributesRequest)server.Behaviour.LastRequest!).Attributes.ToString());
        Assert.Equal(("c", 3), await client.CreateCollectionAsync("c", 3) is var created ? (created.Name, created.Dimension) : default);
        Assert.Equal("c", (await client.GetCollectionAsync("c")).Name);
        await client.SetAliasAsync("a", "c");
        Assert.Equal(
            new UpdateAliasesRequest { Set = { new Alias { Alias_ = "a", Collection = "c" } } }, server.Behaviour.LastRequest);
    }

    [Fact]
    public async Task ASearchHasAThresholdAndAnIngestHasAttributes()
    {
        await using var server = await ServerDouble.StartAsync();
        using var client = server.Client();
        var attributes = new Dictionary<string, object?> { ["tag"] = "red", ["size"] = 3 };

        await client.SearchVectorsAsync("c", new float[] { 1 }, scoreThreshold: 0.5f);
        await client.SearchVectorsAsync("c", new float[] { 1 });
        await client.IngestImageAsync("j", new byte[] { 1 }, attributes: attributes);

        Assert.Equal([0.5f, null], server.Behaviour.Thresholds);
        Assert.Equal("{ \"tag\": \"red\", \"size\": 3 }", server.Behaviour.Attributes?.ToString());
    }

    [Fact]
    public async Task ListsEnumerateAllPages()
    {
        var behaviour = new Behaviour();
        behaviour.Points.AddRange(Enumerable.Range(0, 25).Select(i => new VectorPoint { PointId = $"{i}" }));
        behaviour.Models.AddRange(Enumerable.Range(0, 250).Select(i => new Model { Name = $"{i}" }));
        behaviour.Collections.AddRange(Enumerable.Range(0, 100).Select(i => new Collection { Name = $"{i}" }));
        await using var server = await ServerDouble.StartAsync(behaviour);
        using var client = server.Client();
        var request = new ListVectorsRequest { PageSize = 10 };

        Assert.Equal(behaviour.Points, await client.ListAllVectorsAsync(request).ToListAsync());
        Assert.Equal(3, behaviour.Calls.Count);
        Assert.Equal("", request.PageToken);
        Assert.Equal(behaviour.Points, await client.ListAllVectorsAsync("c").ToListAsync());
        Assert.Equal(behaviour.Models, await client.ListAllModelsAsync().ToListAsync());
        Assert.Equal(behaviour.Collections, await client.ListAllCollectionsAsync().ToListAsync());
        Assert.Equal(3 + 1 + 3 + 1, behaviour.Calls.Count);
        Assert.Equal(
            behaviour.Collections.Select(collection => $"alias-{collection.Name}"),
            await client.ListAllAliasesAsync().Select(alias => alias.Alias_).ToListAsync());
    }

    [Fact]
    public async Task WaitingEndsWhenTheServerReportsServing()
    {
        await using var server = await ServerDouble.StartAsync();
        server.Health.SetStatus("", HealthCheckResponse.Types.ServingStatus.NotServing);
        using var client = server.Client();

        var waiting = client.WaitUntilServingAsync(TimeSpan.FromSeconds(30));
        var error = await Assert.ThrowsAsync<EmbeddingsException>(
            () => client.WaitUntilServingAsync(TimeSpan.FromMilliseconds(50)));
        Assert.Equal(StatusCode.DeadlineExceeded, error.Status);
        Assert.False(waiting.IsCompleted);
        server.Health.SetStatus("", HealthCheckResponse.Types.ServingStatus.Serving);

        await waiting;
    }

    [Fact]
    public async Task TheErrorOfWaitingForAnUnreachableServerNamesTheCause()
    {
        string address;
        await using (var server = await ServerDouble.StartAsync())
        {
            address = server.Address;
        }

        using var client = EmbeddingsClient.ForAddress(address);
        var error = await Assert.ThrowsAsync<EmbeddingsException>(
            () => client.WaitUntilServingAsync(TimeSpan.FromMilliseconds(300)));

        Assert.Equal(StatusCode.DeadlineExceeded, error.Status);
        Assert.Contains("refused", error.Message, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task WaitingFailsImmediatelyIfTheServerHasNoHealthService()
    {
        await using var server = await ServerDouble.StartAsync(withHealth: false);
        using var client = server.Client();

        var error = await Assert.ThrowsAsync<EmbeddingsException>(
            () => client.WaitUntilServingAsync(TimeSpan.FromMinutes(1)));

        Assert.Equal(StatusCode.Unimplemented, error.Status);
    }

    private static IEnumerable<MethodDescriptor> Rpcs(bool streaming) =>
        Services.SelectMany(service => service.Methods).Where(method => streaming ? method.IsClientStreaming : !method.IsClientStreaming && !method.IsServerStreaming);
}
