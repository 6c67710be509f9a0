using Embeddings.Client.Tests.Doubles;
using Embeddings.V1;
using Grpc.Core;

namespace Embeddings.Client.Tests.Streaming;

/// <summary>Streams that end before their source.</summary>
public sealed class StreamEndTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly TaskCompletionSource _serverIsThere = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _serverSawCancel = new(TaskCreationOptions.RunContinuationsAsynchronously);

    [Fact]
    public async Task StoppingTheEnumerationCancelsTheCallAndDisposesOfTheSource()
    {
        await using var server = await ServerDouble.StartAsync(Watched(answer: true));
        using var client = server.Client();
        var source = new Source(int.MaxValue);

        await foreach (var response in client.StreamEmbedAsync(source.ItemsAsync()))
        {
            if (response.ItemId == "10")
            {
                break;
            }
        }

        await _serverSawCancel.Task.WaitAsync(Patience);
        await source.Disposed.WaitAsync(Patience);
    }

    [Fact]
    public async Task TheCallersTokenEndsTheStreamOfASilentServer()
    {
        await using var server = await ServerDouble.StartAsync(Watched(answer: false));
        using var client = server.Client();
        using var cancel = new CancellationTokenSource();
        var reading = client.StreamEmbedAsync(new Source(5).ItemsAsync(), cancel.Token).ToListAsync().AsTask();
        await _serverIsThere.Task.WaitAsync(Patience);

        await cancel.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reading.WaitAsync(Patience));
        await _serverSawCancel.Task.WaitAsync(Patience);
    }

    [Fact]
    public async Task TheTokenOfTheEnumerationAlsoEndsTheStream()
    {
        await using var server = await ServerDouble.StartAsync(Watched(answer: false));
        using var client = server.Client();
        using var cancel = new CancellationTokenSource();
        var reading = Task.Run(async () =>
        {
            await foreach (var response in client.StreamEmbedAsync(new Source(1).ItemsAsync()).WithCancellation(cancel.Token))
            {
                Assert.Fail($"{response.ItemId} was answered");
            }
        });

        await cancel.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reading.WaitAsync(Patience));
    }

    [Fact]
    public async Task ASourceThatHangsDoesNotHideTheServersError()
    {
        await using var server = await ServerDouble.StartAsync(new Behaviour
        {
            OnStreamEmbed = (_, _, _) => throw new RpcException(new Status(StatusCode.PermissionDenied, "no")),
        });
        using var client = server.Client();
        var source = new Source(5) { Before = (_, cancellationToken) => Task.Delay(Timeout.Infinite, cancellationToken) };

        var error = await Assert.ThrowsAsync<EmbeddingsException>(
            () => client.StreamEmbedAsync(source.ItemsAsync()).ToListAsync().AsTask().WaitAsync(Patience));

        Assert.Equal(StatusCode.PermissionDenied, error.Status);
        await source.Disposed.WaitAsync(Patience);
    }

    [Theory]
    [InlineData("wrong id")]
    [InlineData("too many")]
    [InlineData("too few")]
    public async Task ViolationsOfTheProtocolAreDetected(string how)
    {
        await using var server = await ServerDouble.StartAsync(new Behaviour
        {
            OnStreamEmbed = async (requests, responses, _) =>
            {
                await foreach (var request in requests.ReadItemsAsync())
                {
                    if (request.ItemId == "2" && how == "too few")
                    {
                        return;
                    }

                    request.ItemId = request.ItemId == "2" && how == "wrong id" ? "3" : request.ItemId;
                    await responses.WriteAsync(Behaviour.Answer(request));
                }

                if (how == "too many")
                {
                    await responses.WriteAsync(new StreamEmbedResponse { ItemId = "9" });
                }
            },
        });
        using var client = server.Client(time: new HurriedTime());

        var error = await Assert.ThrowsAsync<EmbeddingsException>(
            () => client.StreamEmbedAsync(new Source(5).ItemsAsync()).ToListAsync().AsTask());

        Assert.Equal((StatusCode.Internal, "PROTOCOL_VIOLATION"), (error.Status, error.Reason));
    }

    [Fact]
    public async Task ADisposedClientThrowsObjectDisposedException()
    {
        await using var server = await ServerDouble.StartAsync();
        var client = server.Client();
        client.Dispose();

        await Assert.ThrowsAsync<ObjectDisposedException>(
            () => client.StreamEmbedAsync(new Source(1).ItemsAsync()).ToListAsync().AsTask());
        await Assert.ThrowsAsync<ObjectDisposedException>(() => client.GetModelAsync(new GetModelRequest()));
    }

    private Behaviour Watched(bool answer) => new()
    {
        OnStreamEmbed = async (requests, responses, context) =>
        {
            context.CancellationToken.Register(() => _serverSawCancel.TrySetResult());
            _serverIsThere.TrySetResult();
            if (answer)
            {
                await Behaviour.EchoAsync(requests, responses, context);
            }

            await Task.Delay(Timeout.Infinite, context.CancellationToken);
        },
    };
}
