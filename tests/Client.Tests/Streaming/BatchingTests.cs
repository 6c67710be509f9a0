using Embeddings.Client.Tests.Doubles;
using Embeddings.V1;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.Extensions.Time.Testing;

namespace Embeddings.Client.Tests.Streaming;

/// <summary>Sizes of the messages of a stream, and when they are sent. The clock stands still unless a test moves it.</summary>
public sealed class BatchingTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly FakeTimeProvider _time = new(TimeProvider.System.GetUtcNow());
    private readonly HeldStream _stream = new();
    private readonly CancellationTokenSource _cancel = new();

    public void Dispose() => _cancel.Dispose();

    [Theory]
    [InlineData(256, 64, new[] { 1, 64, 64, 64, 63 })]
    [InlineData(1024, 1000, new[] { 1, 256, 256, 256, 255 })]
    [InlineData(1024, 100, new[] { 1, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 23 })]
    [InlineData(65, 1000, new[] { 1, 16, 16, 16, 16 })]
    [InlineData(8, 64, new[] { 1, 2, 2, 2, 1 })]
    [InlineData(7, 64, new[] { 1, 1, 1, 1, 1, 1, 1 })]
    [InlineData(8, 1, new[] { 1, 1, 1, 1, 1, 1, 1, 1 })]
    [InlineData(1, 64, new[] { 1 })]
    public async Task AFastSourceFillsTheMessagesUntilTheWindowIsFull(int maxInFlight, int maxItems, int[] expected)
    {
        await using var server = await ServerDouble.StartAsync(_stream.Behaviour);
        using var client = Client(server, options => options with { MaxInFlight = maxInFlight, MaxItemsPerMessage = maxItems });
        var isFirstReceived = new TaskCompletionSource();
        var source = new Source(10_000) { Before = (i, _) => i == 1 ? isFirstReceived.Task : Task.CompletedTask };
        await using var responses = client.StreamEmbedAsync(source.ItemsAsync()).GetAsyncEnumerator();
        var reading = responses.MoveNextAsync().AsTask();

        var first = await _stream.NextAsync();
        isFirstReceived.SetResult();
        int[] sizes = [first!.Items.Count + 1, .. await _stream.SizesAsync(expected.Length - 1)];

        Assert.Equal(expected, sizes);
        Assert.Equal(maxInFlight, source.Read);
        await _stream.AnswerAsync(first);
        Assert.True(await reading);
        // There is room for one item, and the window is full again.
        Assert.Equal([1], await _stream.SizesAsync(1));
    }

    [Fact]
    public async Task AMessageStaysWithinItsBytesAndALargerItemIsSentAlone()
    {
        await using var server = await ServerDouble.StartAsync(_stream.Behaviour);
        using var client = Client(server, options => options with { MaxBytesPerMessage = 5_000 });
        int[] sizes = [0, 1_000, 1_000, 1_000, 1_000, 1_000, 1_000, 6_000, 100, 4_990, 100, 4_500, 300, 100, 5_000, 5_000, 1];
        var isFirstReceived = new TaskCompletionSource();
        async IAsyncEnumerable<StreamEmbedRequest> Items()
        {
            for (var i = 0; i < sizes.Length; i++)
            {
                await (i == 1 ? isFirstReceived.Task : Task.CompletedTask);
                yield return new StreamEmbedRequest { ItemId = $"{i}", Image = new Image { Encoded = ByteString.CopyFrom(new byte[sizes[i]]) } };
            }
        }

        var reading = client.StreamEmbedAsync(Items()).ToListAsync().AsTask();
        var messages = new List<StreamEmbedRequest> { (await _stream.NextAsync())! };
        isFirstReceived.SetResult();
        while (await _stream.NextAsync() is { } message)
        {
            messages.Add(message);
        }

        Assert.Equal([1, 4, 2, 1, 1, 1, 3, 1, 1, 1, 1], messages.Select(message => StreamItems.Of(message).Count));
        Assert.All(messages, message => Assert.True(message.Items.Count == 0 || message.CalculateSize() <= 5_000));
        foreach (var message in messages)
        {
            await _stream.AnswerAsync(message);
        }

        _stream.End();
        Source.AssertAnswered(sizes.Length, await reading);
    }

    [Fact]
    public async Task TheDelayIsCountedFromTheFirstItemOfTheMessage()
    {
        await using var server = await ServerDouble.StartAsync(_stream.Behaviour);
        using var client = Client(server, options => options with { BatchDelay = TimeSpan.FromMilliseconds(2) });
        var source = new StepSource();
        var reading = client.StreamEmbedAsync(source.ItemsAsync()).ToListAsync().AsTask();
        await source.AddAsync();
        var first = await _stream.NextAsync();

        await source.AddAsync();
        _time.Advance(TimeSpan.FromMilliseconds(1));
        await source.AddAsync();
        _time.Advance(TimeSpan.FromMilliseconds(0.9));
        await NothingIsSentAsync(client);
        _time.Advance(TimeSpan.FromMilliseconds(0.1));
        var second = await _stream.NextAsync();

        Assert.Equal(["1", "2"], second!.Items.Select(item => item.ItemId));
        // The next message has a delay of its own.
        await source.AddAsync();
        _time.Advance(TimeSpan.FromMilliseconds(1.9));
        await NothingIsSentAsync(client);
        _time.Advance(TimeSpan.FromMilliseconds(0.1));
        var third = await _stream.NextAsync();
        Assert.Equal(("3", 0), (third!.ItemId, third.Items.Count));
        source.End();
        foreach (var message in new[] { first, second, third })
        {
            await _stream.AnswerAsync(message!);
        }

        _stream.End();
        Source.AssertAnswered(4, await reading);
    }

    [Fact]
    public async Task WaitingItemsAreSentWhenNothingIsUnanswered()
    {
        await using var server = await ServerDouble.StartAsync(_stream.Behaviour);
        using var client = Client(server);
        var source = new StepSource();
        var reading = client.StreamEmbedAsync(source.ItemsAsync(), _cancel.Token).ToListAsync().AsTask();
        await source.AddAsync();
        var first = await _stream.NextAsync();
        await source.AddAsync(3);
        await NothingIsSentAsync(client);

        await _stream.AnswerAsync(first!);

        Assert.Equal([3], await _stream.SizesAsync(1));
        await StopAsync(reading);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task TheEndOfTheSourceSendsWhatWaits(bool fails)
    {
        await using var server = await ServerDouble.StartAsync(_stream.Behaviour);
        using var client = Client(server);
        var source = new StepSource();
        var responses = new List<StreamEmbedResponse>();
        var reading = Task.Run(async () =>
        {
            await foreach (var response in client.StreamEmbedAsync(source.ItemsAsync()))
            {
                responses.Add(response);
            }
        });
        await source.AddAsync();
        var first = await _stream.NextAsync();
        await source.AddAsync(2);

        source.End(fails ? new InvalidDataException("three") : null);
        var second = await _stream.NextAsync();

        Assert.Equal(2, second!.Items.Count);
        Assert.Null(await _stream.NextAsync());
        await _stream.AnswerAsync(first!);
        await _stream.AnswerAsync(second);
        _stream.End();
        if (fails)
        {
            Assert.Equal("three", (await Assert.ThrowsAsync<InvalidDataException>(() => reading)).Message);
        }
        else
        {
            await reading;
        }

        Source.AssertAnswered(3, responses);
    }

    [Fact]
    public async Task WithoutADelayWaitingItemsAreSentAtOnce()
    {
        await using var server = await ServerDouble.StartAsync(_stream.Behaviour);
        using var client = Client(server, options => options with { BatchDelay = TimeSpan.Zero });
        var source = new StepSource();
        var reading = client.StreamEmbedAsync(source.ItemsAsync(), _cancel.Token).ToListAsync().AsTask();

        for (var i = 0; i < 3; i++)
        {
            await source.AddAsync();
            Assert.Equal([1], await _stream.SizesAsync(1));
        }

        await StopAsync(reading);
    }

    [Fact]
    public async Task AStreamCanBeCanceledWhileAnItemWaitsForTheDelay()
    {
        await using var server = await ServerDouble.StartAsync(_stream.Behaviour);
        using var client = Client(server);
        using var cancel = new CancellationTokenSource();
        var source = new StepSource();
        var reading = client.StreamEmbedAsync(source.ItemsAsync(), cancel.Token).ToListAsync().AsTask();
        await source.AddAsync();
        await _stream.NextAsync();
        await source.AddAsync();

        await cancel.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reading.WaitAsync(Patience));
        Assert.Equal(0, _stream.Count);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    [InlineData(63)]
    public async Task TheResultsOfAMessageMayComeInSeveralResponses(int size)
    {
        await using var server = await ServerDouble.StartAsync(new Behaviour
        {
            OnStreamEmbed = async (requests, responses, _) =>
            {
                await foreach (var message in requests.ReadAllAsync())
                {
                    foreach (var part in StreamItems.Of(message).Chunk(size))
                    {
                        await responses.WriteAsync(new StreamEmbedResponse { Items = { part.Select(Behaviour.Answer) } });
                    }
                }
            },
        });
        using var client = server.Client();

        Source.AssertAnswered(1000, await client.StreamEmbedAsync(new Source(1000).ItemsAsync()).ToListAsync());
    }

    [Fact]
    public async Task UnansweredItemsOfAMessageArePackedAgainWhenTheConnectionBreaks()
    {
        var connections = 0;
        var second = new List<IReadOnlyList<string>>();
        await using var server = await ServerDouble.StartAsync(new Behaviour
        {
            OnStreamEmbed = async (requests, responses, _) =>
            {
                if (Interlocked.Increment(ref connections) == 2)
                {
                    await foreach (var message in requests.ReadAllAsync())
                    {
                        second.Add([.. StreamItems.Of(message).Select(item => item.ItemId)]);
                        await responses.WriteAsync(Behaviour.AnswerMessage(message));
                    }

                    return;
                }

                // 100 items have been received, and the first 70 answered.
                var received = await requests.ReadItemsAsync().Take(100).ToListAsync();
                await responses.WriteAsync(new StreamEmbedResponse { Items = { received.Take(70).Select(Behaviour.Answer) } });
                throw new RpcException(new Status(StatusCode.Unavailable, "in the middle of a message"));
            },
        });
        using var client = server.Client(options => options with { MaxInFlight = 100, MaxItemsPerMessage = 20 }, new HurriedTime());

        Source.AssertAnswered(300, await client.StreamEmbedAsync(new Source(300).ItemsAsync()).ToListAsync());

        Assert.Equal(2, connections);
        Assert.Equal(Enumerable.Range(70, 230).Select(i => $"{i}"), second.SelectMany(ids => ids));
        Assert.Equal(20, second[0].Count);
    }

    [Fact]
    public async Task MoreResultsThanUnansweredItemsAreAViolationAfterTheOthers()
    {
        await using var server = await ServerDouble.StartAsync(new Behaviour
        {
            OnStreamEmbed = async (requests, responses, _) =>
            {
                var items = await requests.ReadItemsAsync().ToListAsync();
                items.Add(new StreamEmbedRequest { ItemId = "9" });
                await responses.WriteAsync(new StreamEmbedResponse { Items = { items.Select(Behaviour.Answer) } });
            },
        });
        using var client = server.Client();
        var responses = new List<StreamEmbedResponse>();

        var error = await Assert.ThrowsAsync<EmbeddingsException>(() => ReadAsync(client, 5, responses));

        Assert.Equal("PROTOCOL_VIOLATION", error.Reason);
        Assert.Equal("StreamEmbed: The server sent a response for item '9', but no item is in flight.", error.Message);
        Source.AssertAnswered(5, responses);
    }

    [Fact]
    public async Task AResultOfAnotherItemInAMessageIsAViolation()
    {
        await using var server = await ServerDouble.StartAsync(new Behaviour
        {
            OnStreamEmbed = async (requests, responses, _) =>
            {
                var items = await requests.ReadItemsAsync().ToListAsync();
                (items[2], items[3]) = (items[3], items[2]);
                await responses.WriteAsync(new StreamEmbedResponse { Items = { items.Select(Behaviour.Answer) } });
            },
        });
        using var client = server.Client();
        var responses = new List<StreamEmbedResponse>();

        var error = await Assert.ThrowsAsync<EmbeddingsException>(() => ReadAsync(client, 5, responses));

        Assert.Equal("StreamEmbed: The server sent a response for item '3' instead of item '2'.", error.Message);
        Source.AssertAnswered(2, responses);
    }

    [Fact]
    public async Task TheErrorOfAServerThatDoesNotReadSuchMessagesNamesTheOption()
    {
        // A server of an earlier version sees a message without an item.
        await using var server = await ServerDouble.StartAsync(new Behaviour
        {
            OnStreamEmbed = async (requests, responses, _) =>
            {
                await foreach (var message in requests.ReadAllAsync())
                {
                    await responses.WriteAsync(message.Image is null
                        ? new StreamEmbedResponse { ItemId = message.ItemId, Error = new ItemError { Code = 3, Reason = "NO_ITEM" } }
                        : Behaviour.Answer(message));
                }
            },
        });
        using var batching = server.Client();
        using var single = server.Client(options => options with { MaxItemsPerMessage = 1 });

        var error = await Assert.ThrowsAsync<EmbeddingsException>(() => ReadAsync(batching, 1000, []));

        Assert.Equal("PROTOCOL_VIOLATION", error.Reason);
        Assert.EndsWith("For a server of an earlier version, set MaxItemsPerMessage to 1.", error.Message, StringComparison.Ordinal);
        Source.AssertAnswered(1000, await single.StreamEmbedAsync(new Source(1000).ItemsAsync()).ToListAsync());
    }

    [Fact]
    public async Task ARequestWithItemsIsRejected()
    {
        await using var server = await ServerDouble.StartAsync();
        using var client = server.Client();
        var request = new StreamEmbedRequest { Items = { new StreamEmbedRequest(), new StreamEmbedRequest() } };

        var error = await Assert.ThrowsAsync<ArgumentException>(
            () => client.StreamEmbedAsync(new[] { request }.ToAsyncEnumerable()).ToListAsync().AsTask());

        Assert.Equal(
            "A request must be a single item, because the client packs items into messages by itself; got one with 2 items. "
            + "(Parameter 'requests')",
            error.Message);
    }

    private static async Task ReadAsync(EmbeddingsClient client, int count, List<StreamEmbedResponse> responses)
    {
        await foreach (var response in client.StreamEmbedAsync(new Source(count).ItemsAsync()))
        {
            responses.Add(response);
        }
    }

    private EmbeddingsClient Client(ServerDouble server, Func<EmbeddingsClientOptions, EmbeddingsClientOptions>? with = null) =>
        server.Client(with, _time);

    private async Task StopAsync(Task reading)
    {
        await _cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reading.WaitAsync(Patience));
    }

    // A call on the same connection gives the server time to receive what had been sent before.
    private async Task NothingIsSentAsync(EmbeddingsClient client)
    {
        await client.CountVectorsAsync("c");
        Assert.Equal(0, _stream.Count);
    }
}
