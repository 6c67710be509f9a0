using Embeddings.Core.Memory;
using Embeddings.Primitives;
using Embeddings.Server.Grpc.Admission;
using Embeddings.Server.Grpc.Streaming;
using Embeddings.V1;
using Grpc.Core;
using Microsoft.Extensions.Time.Testing;

namespace Embeddings.Server.Tests.Grpc;

/// <summary>Messages with several items: their reader and writer.</summary>
public sealed class ItemStreamTests
{
    private readonly Sink _sink = new();
    private readonly FakeTimeProvider _time = new();
    private int _aborts;

    [Fact]
    public async Task Items_are_read_one_by_one_and_answered_in_the_form_of_their_message()
    {
        using var reader = Reader(Item(0), Group(1, 2, 3), Item(4), Group(5));
        var writer = Writer(reader);
        var read = new List<string>();
        while (await reader.MoveNext(CancellationToken.None))
        {
            read.Add(reader.Current.ItemId);
        }
        Assert.Equal(["0", "1", "2", "3", "4", "5"], read);
        foreach (var id in read)
        {
            await writer.WriteAsync(Answer(id));
        }
        Assert.Equal(["0", "[1,2,3]", "4", "[5]"], _sink.Written);
    }

    [Fact]
    public async Task An_item_is_garbage_once_it_has_been_read()
    {
        using var reader = Reader(Group(1, 2), Item(3));
        var first = await NextAsync(reader);
        Assert.True(await reader.MoveNext(CancellationToken.None));
        GC.Collect();
        Assert.False(first.TryGetTarget(out _));
    }

    [Fact]
    public async Task Large_responses_are_split_and_unfinished_ones_are_flushed()
    {
        using var reader = Reader(Group(1, 2, 3, 4, 5, 6));
        var writer = Writer(reader);
        while (await reader.MoveNext(CancellationToken.None))
        {
        }
        for (var i = 1; i <= 5; i++)
        {
            await writer.WriteAsync(Answer($"{i}", values: 150_000));
        }
        Assert.Equal(["[1,2]", "[3,4]"], _sink.Written);
        await writer.FlushAsync();
        await writer.FlushAsync();
        await writer.WriteAsync(Answer("6"));
        Assert.Equal(["[1,2]", "[3,4]", "[5]", "[6]"], _sink.Written);
    }

    [Fact]
    public async Task A_client_that_does_not_read_is_aborted_only_while_the_server_holds_its_items()
    {
        var blocked = new TaskCompletionSource();
        _sink.Next = blocked.Task;
        using var reader = Reader(Item(0), Group(1, 2, 3));
        var writer = Writer(reader);
        Assert.True(await reader.MoveNext(CancellationToken.None));
        var writing = writer.WriteAsync(Answer("0"));
        _time.Advance(TimeSpan.FromMinutes(2));
        await Task.Yield();
        Assert.Equal(0, Volatile.Read(ref _aborts));

        Assert.True(await reader.MoveNext(CancellationToken.None));
        Assert.True(reader.HoldsItems);
        for (var i = 0; i < 1000 && Volatile.Read(ref _aborts) == 0; i++)
        {
            _time.Advance(TimeSpan.FromMinutes(1));
            await Task.Delay(5);
        }
        Assert.InRange(Volatile.Read(ref _aborts), 1, 1000);
        blocked.SetResult();
        await writing.WaitAsync(TimeSpan.FromSeconds(20));
    }

    [Fact]
    public async Task Shares_of_a_message_release_its_memory_once()
    {
        var charges = new Charges();
        using (var reader = new ItemReader<StreamEmbedRequest>(new Source([Group(1, 2, 3), Item(4), Group(5, 6)]), charges))
        {
            var shares = new List<IDisposable>();
            for (var i = 0; i < 3; i++)
            {
                Assert.True(await reader.MoveNext(CancellationToken.None));
                shares.Add(reader.Take()!);
            }
            Assert.Equal(1, charges.InUse);
            shares[1].Dispose();
            shares[0].Dispose();
            Assert.Equal(1, charges.InUse);
            shares[2].Dispose();
            Assert.Equal(0, charges.InUse);

            Assert.True(await reader.MoveNext(CancellationToken.None));
            var single = reader.Take()!;
            Assert.Equal(1, charges.InUse);
            single.Dispose();
            Assert.Equal(0, charges.InUse);

            // The stream ends before the last item is taken.
            Assert.True(await reader.MoveNext(CancellationToken.None));
            reader.Take()!.Dispose();
            Assert.Equal(1, charges.InUse);
        }
        Assert.Equal(0, charges.InUse);
    }

    [Theory]
    [InlineData("nested", "items[1].items")]
    [InlineData("mixed", "items")]
    [InlineData("many", "items")]
    public async Task Wrong_messages_are_faults(string kind, string field)
    {
        var message = kind switch
        {
            "nested" => new StreamEmbedRequest { Items = { Item(1), Group(2) } },
            "mixed" => new StreamEmbedRequest { Model = "m", Items = { Item(1) } },
            _ => Group([.. Enumerable.Range(0, StreamMessages.MaxItems + 1)]),
        };
        using var reader = Reader(message);
        var fault = await Assert.ThrowsAsync<Fault>(() => reader.MoveNext(CancellationToken.None));
        Assert.Equal(field, fault.Field);
    }

    private static async Task<WeakReference<StreamEmbedRequest>> NextAsync(ItemReader<StreamEmbedRequest> reader)
    {
        Assert.True(await reader.MoveNext(CancellationToken.None));
        return new(reader.Current);
    }

    private static StreamEmbedRequest Item(int id) => new() { ItemId = $"{id}" };

    private static StreamEmbedRequest Group(params int[] ids) => new() { Items = { ids.Select(Item) } };

    private static StreamEmbedResponse Answer(string id, int values = 0) =>
        new() { ItemId = id, Embedding = new() { Values = { new float[values] } } };

    private static ItemReader<StreamEmbedRequest> Reader(params StreamEmbedRequest[] messages) => new(new Source(messages), null);

    private ItemWriter<StreamEmbedResponse> Writer(IStreamItems items) =>
        new(_sink, items, TimeSpan.FromMinutes(1), () => Interlocked.Increment(ref _aborts), _time);

    private sealed class Source(StreamEmbedRequest[] messages) : IAsyncStreamReader<StreamEmbedRequest>
    {
        private int _next;

        public StreamEmbedRequest Current { get; private set; } = null!;

        public async Task<bool> MoveNext(CancellationToken cancellationToken)
        {
            // Some reads wait.
            if (_next % 2 == 1)
            {
                await Task.Yield();
            }
            if (_next == messages.Length)
            {
                return false;
            }
            Current = messages[_next];
            messages[_next++] = null!;
            return true;
        }
    }

    private sealed class Sink : IServerStreamWriter<StreamEmbedResponse>
    {
        public List<string> Written { get; } = [];

        public Task Next { get; set; } = Task.CompletedTask;

        public WriteOptions? WriteOptions { get; set; }

        public Task WriteAsync(StreamEmbedResponse message)
        {
            Written.Add(message.Items.Count > 0 ? $"[{string.Join(',', message.Items.Select(item => item.ItemId))}]" : message.ItemId);
            return Next;
        }
    }

    private sealed class Charges : IMessageCharges
    {
        private readonly MemoryBudget _memory = new(new(), new());

        public int InUse => _memory.Messages.Used > 0 ? 1 : 0;

        public MessageCharge? Take()
        {
            var charge = new Charge(1000, 1, IsLarge: false);
            Assert.True(_memory.Messages.TryEnter(charge));
            return new(_memory, charge);
        }
    }
}
