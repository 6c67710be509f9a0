using Embeddings.Client.Tests.Doubles;
using Embeddings.V1;
using Grpc.Core;

namespace Embeddings.Client.Tests;

public sealed class EmbeddingsClientFacesTests
{
    private static readonly byte[] Photo = [1, 2, 3];

    [Fact]
    public async Task TheShorterFormsFillTheRequest()
    {
        await using var server = await ServerDouble.StartAsync();
        using var client = server.Client();
        var options = new FaceOptions { MaxFaces = 3 };
        var photo = new Image { Encoded = Google.Protobuf.ByteString.CopyFrom(Photo) };

        Assert.Single((await client.DetectFacesAsync(Photo, options)).Faces);
        Assert.Equal(new DetectFacesRequest { Photo = photo, Options = options }, server.Behaviour.LastRequest);
        Assert.Single((await client.EmbedFacesAsync(Photo, options, "m")).Faces);
        Assert.Equal(new EmbedFacesRequest { Photo = photo, Options = options, Model = "m" }, server.Behaviour.LastRequest);
        await client.CompareFacesAsync(Photo, Photo, 0.5f, options);
        Assert.Equal(new CompareFacesRequest { First = photo, Second = photo, Threshold = 0.5f, Options = options }, server.Behaviour.LastRequest);
        await client.CompareFacesAsync(Photo, Photo);
        Assert.Equal(new CompareFacesRequest { First = photo, Second = photo }, server.Behaviour.LastRequest);
        await client.IdentifyFacesAsync(Photo, "c", 0.5f, options);
        Assert.Equal(new IdentifyFacesRequest { Photo = photo, Collection = "c", Threshold = 0.5f, Options = options }, server.Behaviour.LastRequest);

        var attributes = new Dictionary<string, object?> { ["tag"] = "red" };
        Assert.Equal("j-0", (await client.IngestPhotoAsync("j", Photo, "media", "c", attributes, options)).Ack.Faces[0].PointId);
        var item = new PhotoItem { JobId = "j", MediaStoreId = "media", Photo = photo, Attributes = attributes.ToStruct(), Options = options };
        Assert.Equal(new IngestPhotoRequest { Item = item, Collection = "c" }, server.Behaviour.LastRequest);
    }

    [Fact]
    public async Task TheShorterFormsForPersonsFillTheRequest()
    {
        await using var server = await ServerDouble.StartAsync();
        using var client = server.Client();

        Assert.Equal(2, (await client.NamePersonAsync("Ada", ["a", "b"], "c")).ChangedCount);
        Assert.Equal(new NamePersonRequest { Person = "Ada", PointIds = { "a", "b" }, Collection = "c" }, server.Behaviour.LastRequest);
        Assert.Equal(2, (await client.MergePersonsAsync(["Ada", "Eve"], "Ada")).ChangedCount);
        Assert.Equal(new MergePersonsRequest { Persons = { "Ada", "Eve" }, Into = "Ada" }, server.Behaviour.LastRequest);
        Assert.Equal(1, (await client.SplitPersonAsync("Ada", ["a"], "Eve")).ChangedCount);
        Assert.Equal(new SplitPersonRequest { Person = "Ada", PointIds = { "a" }, NewPerson = "Eve" }, server.Behaviour.LastRequest);
        Assert.Equal(2, (await client.UndoPersonChangeAsync("x")).RestoredCount);
        Assert.Equal(new UndoPersonChangeRequest { ChangeId = "x" }, server.Behaviour.LastRequest);
    }

    [Fact]
    public async Task AllPersonsAreEnumeratedInPages()
    {
        var behaviour = new Behaviour();
        behaviour.Persons.AddRange(Enumerable.Range(0, 250).Select(i => new Person { Name = $"{i}" }));
        await using var server = await ServerDouble.StartAsync(behaviour);
        using var client = server.Client();

        Assert.Equal(behaviour.Persons, await client.ListAllPersonsAsync("c").ToListAsync());
        Assert.Equal(3, behaviour.Calls.Count);
    }

    [Fact]
    public async Task PhotosShareAStreamWithOtherItems()
    {
        await using var server = await ServerDouble.StartAsync();
        using var client = server.Client();
        StreamIngestRequest[] requests =
        [
            new() { ItemId = "1", Photo = new PhotoItem { JobId = "p" } },
            new() { ItemId = "2", Image = new ImageItem { JobId = "i" } },
        ];

        var responses = await client.StreamIngestAsync(requests.ToAsyncEnumerable()).ToListAsync();

        Assert.Equal(["1", "2"], responses.Select(response => response.ItemId));
        Assert.Equal("p-0", responses[0].PhotoAck.Faces[0].PointId);
        Assert.Equal("i", responses[1].Ack.PointId);
    }

    // A second run of a change would report nothing changed, or that its faces are not there.
    [Theory]
    [InlineData("DetectFaces", true)]
    [InlineData("EmbedFaces", true)]
    [InlineData("CompareFaces", true)]
    [InlineData("IdentifyFaces", true)]
    [InlineData("ListPersons", true)]
    [InlineData("NamePerson", false)]
    [InlineData("MergePersons", false)]
    [InlineData("SplitPerson", false)]
    [InlineData("UndoPersonChange", false)]
    public async Task OnlyCallsWithoutAnEffectAreRetried(string name, bool isRetried)
    {
        var behaviour = new Behaviour { OnUnary = (_, _) => throw new RpcException(new Status(StatusCode.Unavailable, "Gone.")) };
        await using var server = await ServerDouble.StartAsync(behaviour);
        using var client = server.Client(time: new HurriedTime());
        Func<Task> call = name switch
        {
            "DetectFaces" => () => client.DetectFacesAsync(Photo),
            "EmbedFaces" => () => client.EmbedFacesAsync(Photo),
            "CompareFaces" => () => client.CompareFacesAsync(Photo, Photo),
            "IdentifyFaces" => () => client.IdentifyFacesAsync(Photo),
            "ListPersons" => () => client.ListPersonsAsync(new ListPersonsRequest()),
            "NamePerson" => () => client.NamePersonAsync("Ada", ["a"]),
            "MergePersons" => () => client.MergePersonsAsync(["Ada"], "Eve"),
            "SplitPerson" => () => client.SplitPersonAsync("Ada", ["a"]),
            _ => () => client.UndoPersonChangeAsync("x"),
        };

        Assert.Equal(StatusCode.Unavailable, (await Assert.ThrowsAsync<EmbeddingsException>(call)).Status);
        Assert.Equal(isRetried ? 3 : 1, behaviour.Calls.Count);
    }

    [Fact]
    public async Task AGroupingReturnsItsMessagesInOrder()
    {
        ClusterFacesResponse[] messages =
        [
            new() { Progress = new ClusterProgress { ReadCount = 3 } },
            new() { Person = new PersonGroup { FaceCount = 2 } },
            new() { Summary = new ClusterSummary { PersonCount = 1 } },
        ];
        await using var server = await ServerDouble.StartAsync(new Behaviour { OnClusterFaces = (_, responses, _) => WriteAsync(responses, messages) });
        using var client = server.Client(options => options with { Headers = new Dictionary<string, string> { ["x-tenant"] = "a" } });
        var request = new ClusterFacesRequest { Collection = "c", MinFaces = 2 };

        Assert.Equal(messages, await client.ClusterFacesAsync(request).ToListAsync());
        Assert.Equal(request, server.Behaviour.LastRequest);
    }

    [Fact]
    public async Task AGroupingHasTheHeadersOfTheOptions()
    {
        Metadata? headers = null;
        await using var server = await ServerDouble.StartAsync(new Behaviour
        {
            OnClusterFaces = (_, _, context) =>
            {
                headers = context.RequestHeaders;
                return Task.CompletedTask;
            },
        });
        using var client = server.Client(options => options with { Headers = new Dictionary<string, string> { ["x-tenant"] = "a" } });

        Assert.Empty(await client.ClusterFacesAsync(new ClusterFacesRequest()).ToListAsync());
        Assert.Equal("a", headers?.GetValue("x-tenant"));
    }

    [Theory]
    [InlineData(false, 3)]
    [InlineData(true, 1)]
    public async Task AGroupingIsRetriedUntilItsFirstMessageUnlessItIsStored(bool apply, int calls)
    {
        var behaviour = new Behaviour { OnClusterFaces = (_, _, _) => throw new RpcException(new Status(StatusCode.Unavailable, "Gone.")) };
        await using var server = await ServerDouble.StartAsync(behaviour);
        using var client = server.Client(time: new HurriedTime());

        var error = await Assert.ThrowsAsync<EmbeddingsException>(
            async () => await client.ClusterFacesAsync(new ClusterFacesRequest { Apply = apply }).ToListAsync());

        Assert.Equal(StatusCode.Unavailable, error.Status);
        Assert.Equal(calls, behaviour.Calls.Count);
    }

    [Fact]
    public async Task AGroupingThatBreaksAfterItsFirstMessageFails()
    {
        var behaviour = new Behaviour
        {
            OnClusterFaces = async (_, responses, _) =>
            {
                await responses.WriteAsync(new ClusterFacesResponse { Progress = new ClusterProgress() });
                throw new RpcException(new Status(StatusCode.Unavailable, "Gone."));
            },
        };
        await using var server = await ServerDouble.StartAsync(behaviour);
        using var client = server.Client(time: new HurriedTime());
        var received = 0;

        var error = await Assert.ThrowsAsync<EmbeddingsException>(async () =>
        {
            await foreach (var message in client.ClusterFacesAsync(new ClusterFacesRequest()))
            {
                received++;
            }
        });

        Assert.Equal((StatusCode.Unavailable, 1, 1), (error.Status, received, behaviour.Calls.Count));
    }

    [Fact]
    public async Task ACanceledGroupingThrowsACancellation()
    {
        var behaviour = new Behaviour { OnClusterFaces = (_, _, context) => Task.Delay(Timeout.Infinite, context.CancellationToken) };
        await using var server = await ServerDouble.StartAsync(behaviour);
        using var client = server.Client();
        using var stop = new CancellationTokenSource();
        var call = client.ClusterFacesAsync(new ClusterFacesRequest(), stop.Token).ToListAsync(stop.Token);
        while (behaviour.Calls.IsEmpty)
        {
            await Task.Delay(10);
        }

        await stop.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await call);
    }

    private static async Task WriteAsync(IServerStreamWriter<ClusterFacesResponse> responses, ClusterFacesResponse[] messages)
    {
        foreach (var message in messages)
        {
            await responses.WriteAsync(message);
        }
    }
}
