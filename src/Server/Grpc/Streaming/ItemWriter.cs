using Google.Protobuf;
using Grpc.Core;

namespace Embeddings.Server.Grpc.Streaming;

/// <summary>
/// Writes the responses to items, in the form in which the items were sent: those of one message in one message, or in several
/// if they are large.
/// </summary>
/// <param name="messages">The messages.</param>
/// <param name="items">The items.</param>
/// <param name="patience">
/// Time in which the client must accept a message while the server holds items that it sent. A client that does not read would
/// otherwise keep their memory from others.
/// </param>
/// <param name="abort">Ends the call of such a client.</param>
/// <param name="time">The clock.</param>
internal sealed class ItemWriter<T>(
    IServerStreamWriter<T> messages, IStreamItems items, TimeSpan patience, Action abort, TimeProvider time)
    : IServerStreamWriter<T>
    where T : class, IMessage<T>, V1.IStreamMessage<T>, new()
{
    // A message is sent once it is this large. Most clients accept messages of 4 MiB, and a response takes some 10 KB.
    private const int FullBytes = 1 << 20;

    private T? _group;
    private int _left;
    private int _bytes;

    public WriteOptions? WriteOptions { get; set; }

    public Task WriteAsync(T message)
    {
        if (_left == 0)
        {
            _left = items.NextGroup();
            if (_left == 0)
            {
                messages.WriteOptions = WriteOptions;
                return SendAsync(message);
            }
        }
        _group ??= new();
        _group.Items.Add(message);
        _bytes += message.CalculateSize();
        _left--;
        return _left == 0 || _bytes >= FullBytes ? FlushAsync() : Task.CompletedTask;
    }

    public Task WriteAsync(T message, CancellationToken cancellationToken) => WriteAsync(message);

    /// <summary>Sends the responses that wait for others of their message.</summary>
    public Task FlushAsync()
    {
        if (_group is not { } group)
        {
            return Task.CompletedTask;
        }
        _group = null;
        _bytes = 0;
        // Not buffered: the next message may be ready much later, although its first response is already.
        messages.WriteOptions = null;
        return SendAsync(group);
    }

    private Task SendAsync(T message)
    {
        var sent = messages.WriteAsync(message);
        return sent.IsCompleted ? sent : WatchAsync(sent);
    }

    private async Task WatchAsync(Task sent)
    {
        while (true)
        {
            try
            {
                await sent.WaitAsync(patience, time);
                return;
            }
            catch (TimeoutException) when (!sent.IsCompleted)
            {
                if (items.HoldsItems)
                {
                    abort();
                }
            }
        }
    }
}
