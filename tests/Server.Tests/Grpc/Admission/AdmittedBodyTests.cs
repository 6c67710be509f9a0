using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using Embeddings.Core.Memory;
using Embeddings.Server.Grpc.Admission;
using Embeddings.Server.Hosting;
using Grpc.Core;

namespace Embeddings.Server.Tests.Grpc.Admission;

/// <summary>Messages are admitted to the memory budget while they are received; the tests read as gRPC does.</summary>
public sealed class AdmittedBodyTests
{
    private const string Stream = "/embeddings.v1.EmbeddingService/StreamEmbed";
    private const string Unary = "/embeddings.v1.EmbeddingService/EmbedImage";
    private const string Upsert = "/embeddings.v1.VectorStoreService/UpsertVectors";

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    private readonly Pipe _pipe = new(new(pauseWriterThreshold: 0));
    private readonly MemoryBudget _memory = Budget();
    private readonly CancellationTokenSource _aborted = new();

    [Fact]
    public async Task A_message_that_has_begun_is_charged_twice_its_bytes_until_its_items_have_been_processed()
    {
        var body = Body(Stream);
        await WriteAsync(Frame(new byte[100_000]).AsMemory(0, 50_000));
        Assert.False(await TryReadMessageAsync(body));
        Assert.Equal(0, _memory.Messages.Used);
        var reading = TryReadMessageAsync(body);
        Assert.Equal(200_000, _memory.Messages.Used);
        await WriteAsync(new byte[50_005]);
        Assert.True(await reading.WaitAsync(Limit, TestContext.Current.CancellationToken));
        using (body.Take())
        {
            Assert.Equal(200_000, _memory.Messages.Used);
            Assert.Null(body.Take());
        }
        Assert.Equal(0, _memory.Messages.Used);
    }

    [Fact]
    public async Task A_message_that_nothing_takes_is_charged_until_the_next_one_or_the_end_of_the_call()
    {
        var body = Body(Stream);
        foreach (var bytes in (int[])[100_000, 200_000])
        {
            await WriteAsync(Frame(new byte[bytes]));
            Assert.True(await TryReadMessageAsync(body));
            Assert.Equal(2 * bytes, _memory.Messages.Used);
        }
        body.Release();
        Assert.Equal(0, _memory.Messages.Used);
        Assert.Null(body.Take());
    }

    [Fact]
    public async Task A_stream_is_not_read_further_while_there_is_no_memory()
    {
        var body = Body(Stream);
        var other = new Charge(_memory.Messages.Largest, 1, IsLarge: true);
        Assert.True(_memory.Messages.TryEnter(other));
        await WriteAsync(Frame(new byte[2_000_000]).AsMemory(0, 50_000));
        Assert.False(await TryReadMessageAsync(body));
        await WriteAsync(new byte[1_950_005]);
        var reading = TryReadMessageAsync(body);
        Assert.Equal(1, _memory.Messages.Waiting);
        Assert.False(reading.IsCompleted);
        _memory.Messages.Exit(other);
        Assert.True(await reading.WaitAsync(Limit, TestContext.Current.CancellationToken));
        body.Take()!.Dispose();
        Assert.Equal(0, _memory.Messages.Used);
    }

    [Fact]
    public async Task A_unary_call_is_refused_with_a_delay_while_there_is_no_memory()
    {
        var body = Body(Unary);
        Assert.True(_memory.Messages.TryEnter(new(_memory.Messages.Largest, 1, IsLarge: true)));
        // One message of each caller is admitted on top.
        var first = new Charge(1, 1, IsLarge: true);
        Assert.True(_memory.Messages.TryEnter(ref first, "a"));
        await WriteAsync(Frame(new byte[2_000_000]).AsMemory(0, 50_000));
        Assert.False(await TryReadMessageAsync(body));
        var error = await Assert.ThrowsAsync<RpcException>(() => TryReadMessageAsync(body));
        Assert.Equal(StatusCode.ResourceExhausted, error.StatusCode);
        Assert.Contains("Memory:LimitBytes", error.Status.Detail);
        Assert.NotNull(error.Trailers.Get("grpc-status-details-bin"));
    }

    [Fact]
    public async Task The_message_of_a_unary_call_stays_charged_until_the_call_ends()
    {
        var body = Body(Unary);
        await WriteAsync(Frame(new byte[100_000]));
        Assert.True(await TryReadMessageAsync(body));
        Assert.Equal(200_000, _memory.Messages.Used);
        body.Release();
        Assert.Equal(0, _memory.Messages.Used);
    }

    [Fact]
    public async Task A_call_that_ends_while_it_waits_or_in_the_middle_of_a_message_leaves_nothing_behind()
    {
        var half = Body(Stream);
        await WriteAsync(Frame(new byte[100_000]).AsMemory(0, 50_000));
        Assert.False(await TryReadMessageAsync(half));
        var reading = TryReadMessageAsync(half);
        Assert.Equal(200_000, _memory.Messages.Used);
        half.Release();
        Assert.Equal(0, _memory.Messages.Used);
        await _pipe.Writer.CompleteAsync();
        await Assert.ThrowsAnyAsync<InvalidDataException>(() => reading);

        var pipe = new Pipe();
        var waiting = new AdmittedBody(pipe.Reader, Rules().Of(Stream), _memory, "b", _aborted.Token);
        var other = new Charge(_memory.Messages.Largest, 1, IsLarge: true);
        Assert.True(_memory.Messages.TryEnter(other));
        await pipe.Writer.WriteAsync(Frame(new byte[2_000_000]).AsMemory(0, 50_000), TestContext.Current.CancellationToken);
        Assert.False(await TryReadMessageAsync(waiting));
        var held = TryReadMessageAsync(waiting);
        waiting.Release();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => held);
        _memory.Messages.Exit(other);
        Assert.Equal((0, 0), (_memory.Messages.Used, _memory.Messages.Waiting));
    }

    [Theory]
    [InlineData(Unary, 20 << 20, "Server:MaxMessageBytes)")]
    [InlineData(Upsert, 8 << 20, "Server:MaxMessageBytesWithoutImages")]
    [InlineData("/grpc.health.v1.Health/Check", 8 << 20, "Server:MaxMessageBytesWithoutImages")]
    public async Task A_message_over_the_limit_of_its_method_is_refused_by_its_header(string method, int limit, string setting)
    {
        var body = Body(method);
        var header = new byte[5];
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(1), limit + 1);
        await WriteAsync(header);
        var error = await Assert.ThrowsAsync<RpcException>(() => TryReadMessageAsync(body));
        Assert.Equal(StatusCode.ResourceExhausted, error.StatusCode);
        Assert.Contains($"{limit}", error.Status.Detail);
        Assert.Contains(setting, error.Status.Detail);
        Assert.Equal(0, _memory.Messages.Used);
    }

    [Fact]
    public async Task A_message_that_never_fits_is_refused_by_its_header()
    {
        var small = Budget(128);
        var body = new AdmittedBody(_pipe.Reader, Rules().Of(Unary), small, "a", default);
        var header = new byte[5];
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(1), (int)(small.Messages.Largest / 2) + 1);
        await WriteAsync(header);
        var error = await Assert.ThrowsAsync<RpcException>(() => TryReadMessageAsync(body));
        Assert.Contains("Memory:LimitBytes", error.Status.Detail);
    }

    [Fact]
    public async Task Four_million_empty_points_are_refused_before_there_are_objects()
    {
        var points = new byte[8_000_000];
        for (var i = 0; i < points.Length; i += 2)
        {
            points[i] = 0x12;
        }
        await WriteAsync(Frame(points));
        var body = Body(Upsert);
        var before = GC.GetTotalAllocatedBytes(precise: true);
        var error = await Assert.ThrowsAsync<RpcException>(() => TryReadMessageAsync(body));
        Assert.InRange(GC.GetTotalAllocatedBytes(precise: true) - before, 0, 4 << 20);
        Assert.Equal(StatusCode.InvalidArgument, error.StatusCode);
        Assert.Equal("points must contain between 1 and 10000 elements; got more than 10000.", error.Status.Detail);
    }

    [Fact]
    public async Task A_message_that_becomes_too_many_objects_is_refused()
    {
        // Fields that no version of the contract has: each becomes an object with an entry in a dictionary.
        var fields = Enumerable.Repeat<byte[]>([0xF8, 0x7F, 1], 1_000_000).SelectMany(field => field).ToArray();
        await WriteAsync(Frame(fields));
        var body = new AdmittedBody(_pipe.Reader, Rules().Of(Upsert), Budget(256), "a", default);
        var error = await Assert.ThrowsAsync<RpcException>(() => TryReadMessageAsync(body));
        Assert.Equal(StatusCode.ResourceExhausted, error.StatusCode);
        Assert.Contains("too many elements", error.Status.Detail);
    }

    [Fact]
    public async Task Small_messages_cost_no_memory()
    {
        const int Count = 2000;
        var body = Body(Stream);
        var message = Frame(new byte[30_000]);
        await RunAsync();
        var before = GC.GetAllocatedBytesForCurrentThread();
        await RunAsync();
        // The pipe may allocate a buffer now and then; a message costs less than the smallest object.
        Assert.InRange((GC.GetAllocatedBytesForCurrentThread() - before) / Count, 0, 23);

        async Task RunAsync()
        {
            for (var i = 0; i < Count; i++)
            {
                // In two parts, as from the network: it is admitted, then read to its end.
                message.AsSpan(0, 16_384).CopyTo(_pipe.Writer.GetSpan(message.Length));
                _pipe.Writer.Advance(16_384);
                await _pipe.Writer.FlushAsync();
                var read = await body.ReadAsync();
                body.AdvanceTo(read.Buffer.Start, read.Buffer.End);
                message.AsSpan(16_384).CopyTo(_pipe.Writer.GetSpan(message.Length));
                _pipe.Writer.Advance(message.Length - 16_384);
                await _pipe.Writer.FlushAsync();
                read = await body.ReadAsync();
                body.AdvanceTo(read.Buffer.GetPosition(message.Length));
            }
        }
    }

    private static MessageRules Rules() => new(new ServerOptions());

    private static MemoryBudget Budget(int mebibytes = 512)
    {
        var budget = new MemoryBudget(new() { LimitBytes = (long)mebibytes << 20 }, new());
        budget.Adapt(0, isInitial: true);
        return budget;
    }

    private static byte[] Frame(byte[] message)
    {
        var frame = new byte[5 + message.Length];
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(1), message.Length);
        message.CopyTo(frame, 5);
        return frame;
    }

    // As gRPC reads: looks at everything, and consumes a message when it is complete.
    private static async Task<bool> TryReadMessageAsync(AdmittedBody body)
    {
        var result = await body.ReadAsync();
        var buffer = result.Buffer;
        var header = new byte[5];
        if (buffer.Length >= 5)
        {
            buffer.Slice(0, 5).CopyTo(header);
        }
        var length = BinaryPrimitives.ReadInt32BigEndian(header.AsSpan(1));
        var isComplete = buffer.Length >= 5 && buffer.Length - 5 >= length;
        if (isComplete)
        {
            body.AdvanceTo(buffer.GetPosition(5 + length));
        }
        else
        {
            body.AdvanceTo(buffer.Start, buffer.End);
            if (result.IsCompleted)
            {
                throw new InvalidDataException();
            }
        }
        return isComplete;
    }

    private AdmittedBody Body(string method) => new(_pipe.Reader, Rules().Of(method), _memory, "a", _aborted.Token);

    private async Task WriteAsync(ReadOnlyMemory<byte> bytes) => await _pipe.Writer.WriteAsync(bytes);
}
