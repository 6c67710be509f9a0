using Embeddings.Client.Tests.Doubles;
using Embeddings.V1;
using Google.Protobuf;
using Grpc.Core;

namespace Embeddings.Client.Tests.Streaming;

public sealed class ResendingStreamTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(256)]
    public async Task EachRequestGetsOneResponseInOrder(int maxInFlight)
    {
        await using var server = await ServerDouble.StartAsync();
        using var client = server.Client(options => options with { MaxInFlight = maxInFlight });

        var responses = await client.StreamEmbedAsync(new Source(1000).ItemsAsync()).ToListAsync();

        Source.AssertAnswered(1000, responses);
    }

    [Fact]
    public async Task AnEmptySourceGivesAnEmptyStream()
    {
        await using var server = await ServerDouble.StartAsync();
        using var client = server.Client();

        Assert.Empty(await client.StreamEmbedAsync(new Source(0).ItemsAsync()).ToListAsync());
    }

    [Fact]
    public async Task TheSourceIsReadOnlyUpToTheInFlightLimit()
    {
        var received = new SemaphoreSlim(0);
        var answers = new SemaphoreSlim(0);
        await using var server = await ServerDouble.StartAsync(new Behaviour
        {
            OnStreamEmbed = async (requests, responses, context) =>
            {
                var pending = new Queue<StreamEmbedRequest>();
                var reading = Task.Run(async () =>
                {
                    await foreach (var request in requests.ReadItemsAsync(context.CancellationToken))
                    {
                        lock (pending)
                        {
                            pending.Enqueue(request);
                        }

                        received.Release();
                    }
                });
                while (true)
                {
                    await answers.WaitAsync(context.CancellationToken);
                    StreamEmbedRequest next;
                    lock (pending)
                    {
                        next = pending.Dequeue();
                    }

                    await responses.WriteAsync(Behaviour.Answer(next));
                }
            },
        });
        using var client = server.Client(options => options with { MaxInFlight = 8 });
        var source = new Source(100);
        await using var stream = client.StreamEmbedAsync(source.ItemsAsync()).GetAsyncEnumerator();

        var first = stream.MoveNextAsync().AsTask();
        for (var i = 0; i < 8; i++)
        {
            Assert.True(await received.WaitAsync(Patience));
        }

        Assert.Equal(8, source.Read);
        Assert.False(first.IsCompleted);
        answers.Release(3);
        Assert.True(await first);
        Assert.True(await stream.MoveNextAsync());
        Assert.True(await stream.MoveNextAsync());
        for (var i = 0; i < 3; i++)
        {
            Assert.True(await received.WaitAsync(Patience));
        }

        Assert.Equal(11, source.Read);
    }

    [Fact]
    public async Task AnExceptionOfTheSourceFollowsTheResponsesToEarlierItems()
    {
        await using var server = await ServerDouble.StartAsync();
        using var client = server.Client();
        var source = new Source(10) { Before = (i, _) => i == 5 ? throw new InvalidDataException("five") : Task.CompletedTask };
        var responses = new List<StreamEmbedResponse>();

        var error = await Assert.ThrowsAsync<InvalidDataException>(async () =>
        {
            await foreach (var response in client.StreamEmbedAsync(source.ItemsAsync()))
            {
                responses.Add(response);
            }
        });

        Assert.Equal("five", error.Message);
        Source.AssertAnswered(5, responses);
        await source.Disposed.WaitAsync(Patience);
    }

    [Fact]
    public async Task TheErrorOfATooLargeItemNamesIt()
    {
        await using var server = await ServerDouble.StartAsync();
        using var client = server.Client(options => options with { MaxMessageBytes = 1024 });
        var image = new Image { Encoded = ByteString.CopyFrom(new byte[2000]) };
        var big = new StreamEmbedRequest { ItemId = "big", Image = image };

        var error = await Assert.ThrowsAsync<EmbeddingsException>(
            () => client.StreamEmbedAsync(new[] { big }.ToAsyncEnumerable()).ToListAsync().AsTask());

        Assert.Equal((StatusCode.ResourceExhausted, "MESSAGE_TOO_LARGE"), (error.Status, error.Reason));
        Assert.Contains("'big'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AnItemsErrorDoesNotEndTheStream()
    {
        var bad = new ItemError { Code = 3, Reason = "IMAGE_MALFORMED", Message = "bad", Field = "image.encoded" };
        await using var server = await ServerDouble.StartAsync(new Behaviour
        {
            OnStreamEmbed = async (requests, responses, _) =>
            {
                await foreach (var request in requests.ReadItemsAsync())
                {
                    await responses.WriteAsync(request.ItemId == "1"
                        ? new StreamEmbedResponse { ItemId = "1", Error = bad }
                        : Behaviour.Answer(request));
                }
            },
        });
        using var client = server.Client();

        var responses = await client.StreamEmbedAsync(new Source(3).ItemsAsync()).ToListAsync();

        Assert.Equal(3, responses.Count);
        var error = responses[1].Error.ToException();
        Assert.Equal(
            (StatusCode.InvalidArgument, "IMAGE_MALFORMED", "image.encoded"), (error.Status, error.Reason, error.Field));
    }

    [Fact]
    public async Task TheOtherStreamsAlsoKeepTheOrder()
    {
        await using var server = await ServerDouble.StartAsync();
        using var client = server.Client();
        var ids = Enumerable.Range(0, 500).Select(i => $"p{i}").ToArray();

        var images = ids.Select(id => new StreamIngestRequest { ItemId = id, Image = new ImageItem { JobId = id } });
        var points = ids.Select(id => new StreamUpsertVectorsRequest { ItemId = id, Point = new VectorPoint { PointId = id } });
        var acks = await client.StreamIngestAsync(images.ToAsyncEnumerable()).ToListAsync();
        var upserts = await client.StreamUpsertVectorsAsync(points.ToAsyncEnumerable()).ToListAsync();

        Assert.Equal(ids, acks.Select(ack => ack.Ack.PointId));
        Assert.Equal(ids, upserts.Select(ack => ack.Ack.PointId));
    }
}
