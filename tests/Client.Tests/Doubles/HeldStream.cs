using System.Globalization;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Embeddings.V1;
using Grpc.Core;

namespace Embeddings.Client.Tests.Doubles;

/// <summary>The server's side of a stream, whose messages a test receives and answers one by one.</summary>
internal sealed class HeldStream
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly Channel<StreamEmbedRequest> _received = Channel.CreateUnbounded<StreamEmbedRequest>();
    private readonly TaskCompletionSource _end = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private IServerStreamWriter<StreamEmbedResponse>? _responses;

    public Behaviour Behaviour => new() { OnStreamEmbed = RunAsync };

    /// <summary>Number of messages that have been received and not been taken by the test.</summary>
    public int Count => _received.Reader.Count;

    /// <summary>Returns the next message, or null if the client has half-closed the stream.</summary>
    public async Task<StreamEmbedRequest?> NextAsync()
    {
        return await _received.Reader.WaitToReadAsync().AsTask().WaitAsync(Patience)
            ? await _received.Reader.ReadAsync()
            : null;
    }

    /// <summary>Returns the number of items of each of the next messages.</summary>
    public async Task<IReadOnlyList<int>> SizesAsync(int messages)
    {
        var sizes = new List<int>();
        for (var i = 0; i < messages; i++)
        {
            var message = await NextAsync();
            // A single item must not be sent as a list of one.
            Assert.NotEqual(1, message!.Items.Count);
            sizes.Add(StreamItems.Of(message).Count);
        }

        return sizes;
    }

    public Task RespondAsync(StreamEmbedResponse response) => _responses!.WriteAsync(response);

    public Task AnswerAsync(StreamEmbedRequest message) => RespondAsync(Behaviour.AnswerMessage(message));

    /// <summary>Answers all messages until the end of the stream.</summary>
    public async Task AnswerAllAsync()
    {
        while (await NextAsync() is { } message)
        {
            await AnswerAsync(message);
        }

        End();
    }

    public void End() => _end.TrySetResult();

    private async Task RunAsync(
        IAsyncStreamReader<StreamEmbedRequest> requests, IServerStreamWriter<StreamEmbedResponse> responses, ServerCallContext context)
    {
        _responses = responses;
        await foreach (var message in requests.ReadAllAsync(context.CancellationToken))
        {
            _received.Writer.TryWrite(message);
        }

        _received.Writer.TryComplete();
        await _end.Task.WaitAsync(context.CancellationToken);
    }
}

/// <summary>A source whose items a test adds one by one.</summary>
internal sealed class StepSource
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly Channel<StreamEmbedRequest> _items = Channel.CreateUnbounded<StreamEmbedRequest>();
    private readonly SemaphoreSlim _taken = new(0);
    private int _count;

    public async IAsyncEnumerable<StreamEmbedRequest> ItemsAsync(
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await foreach (var item in _items.Reader.ReadAllAsync(cancellationToken))
        {
            yield return item;
            // The stream asks for the next item, so it has taken this one.
            _taken.Release();
        }
    }

    /// <summary>Adds items and waits until the stream has taken them.</summary>
    public async Task AddAsync(int count = 1)
    {
        for (var i = 0; i < count; i++)
        {
            var id = (_count++).ToString(CultureInfo.InvariantCulture);
            _items.Writer.TryWrite(new StreamEmbedRequest { ItemId = id, Image = new Image() });
            Assert.True(await _taken.WaitAsync(Patience));
        }
    }

    public void End(Exception? failure = null) => _items.Writer.Complete(failure);
}
