using Embeddings.Client.Tests.Doubles;
using Embeddings.V1;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Grpc.Core;
using Status = Grpc.Core.Status;

namespace Embeddings.Client.Tests.Calls;

public sealed class UnaryCallerTests
{
    [Fact]
    public async Task ACallThatCannotReachAServerIsRetried()
    {
        var failures = 2;
        await using var server = await ServerDouble.StartAsync(new Behaviour
        {
            OnUnary = (_, _) => failures-- > 0
                ? throw new RpcException(new Status(StatusCode.Unavailable, "starting"))
                : Task.CompletedTask,
        });
        var time = new HurriedTime();
        using var client = server.Client(time: time);

        await client.EmbedImageAsync(new byte[] { 1 });

        Assert.Equal(3, server.Behaviour.Calls.Count);
        Assert.Equal(2, time.Waits.Count);
    }

    [Fact]
    public async Task RetriesAreLimited()
    {
        await using var server = await ServerDouble.StartAsync(new Behaviour
        {
            OnUnary = (_, _) => throw new RpcException(new Status(StatusCode.Unavailable, "starting")),
        });
        using var client = server.Client(time: new HurriedTime());

        var error = await Assert.ThrowsAsync<EmbeddingsException>(() => client.EmbedImageAsync(new byte[] { 1 }));

        Assert.Equal((StatusCode.Unavailable, "UNAVAILABLE", "starting"), (error.Status, error.Reason, error.Message));
        Assert.Equal(3, server.Behaviour.Calls.Count);
    }

    [Fact]
    public async Task ADeletionIsNotRetried()
    {
        await using var server = await ServerDouble.StartAsync(new Behaviour
        {
            OnUnary = (_, _) => throw new RpcException(new Status(StatusCode.Unavailable, "gone")),
        });
        using var client = server.Client(time: new HurriedTime());

        await Assert.ThrowsAsync<EmbeddingsException>(() => client.DeleteByJobIdAsync("j"));
        await Assert.ThrowsAsync<EmbeddingsException>(() => client.DeleteVectorsAsync(new DeleteVectorsRequest()));

        Assert.Equal(["DeleteByJobId", "DeleteVectors"], server.Behaviour.Calls);
    }

    [Fact]
    public async Task ACallRejectedForOverloadIsRetriedAfterTheRequestedDelay()
    {
        var failures = 5;
        await using var server = await ServerDouble.StartAsync(new Behaviour
        {
            OnUnary = (_, _) => failures-- > 0 ? throw Full() : Task.CompletedTask,
        });
        var time = new HurriedTime();
        using var client = server.Client(time: time);

        await client.DeleteByJobIdAsync("j");

        Assert.Equal(6, server.Behaviour.Calls.Count);
        Assert.Equal(5, time.Waits.Count);
        Assert.All(time.Waits, wait => Assert.InRange(wait, TimeSpan.FromMilliseconds(200), TimeSpan.FromMilliseconds(250)));
    }

    [Theory]
    [InlineData(false, 30_000)]
    [InlineData(true, 150)]
    public async Task ACallRejectedForOverloadIsNotRetriedIfDisabledOrAfterTheDeadline(bool retryOnOverload, int deadlineMs)
    {
        await using var server = await ServerDouble.StartAsync(new Behaviour { OnUnary = (_, _) => throw Full() });
        using var client = server.Client(options => options with { RetryOnOverload = retryOnOverload });
        // Connect first so that the deadline covers only the call.
        await client.WaitUntilServingAsync(TimeSpan.FromSeconds(10));

        var error = await Assert.ThrowsAsync<EmbeddingsException>(
            () => client.WithDeadline(TimeSpan.FromMilliseconds(deadlineMs)).EmbedImageAsync(new byte[] { 1 }));

        if (error.Status != StatusCode.DeadlineExceeded)
        {
            Assert.Equal(
                (StatusCode.ResourceExhausted, TimeSpan.FromMilliseconds(200)), (error.Status, error.RetryAfter!.Value));
        }

        Assert.InRange(server.Behaviour.Calls.Count, 0, 1);
    }

    [Fact]
    public async Task TheDeadlineEndsACallAndReachesTheServer()
    {
        var seen = new TaskCompletionSource<DateTime>();
        await using var server = await ServerDouble.StartAsync(new Behaviour
        {
            OnUnary = (_, context) =>
            {
                seen.TrySetResult(context.Deadline);
                return Task.Delay(Timeout.Infinite, context.CancellationToken);
            },
        });
        using var client = server.Client(options => options with { Deadline = TimeSpan.FromSeconds(1) });

        var error = await Assert.ThrowsAsync<EmbeddingsException>(() => client.EmbedImageAsync(new byte[] { 1 }));

        Assert.Equal((StatusCode.DeadlineExceeded, "DEADLINE_EXCEEDED"), (error.Status, error.Reason));
        Assert.True(await seen.Task < DateTime.MaxValue);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(86_400_001)]
    public void ADeadlineOutOfRangeIsRejected(long milliseconds)
    {
        using var client = EmbeddingsClient.ForAddress("a");

        var error = Assert.Throws<ArgumentOutOfRangeException>(() => client.WithDeadline(TimeSpan.FromMilliseconds(milliseconds)));

        Assert.Contains("between 1 ms and 1 day", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task TheCallersTokenCancelsACall()
    {
        var arrived = new TaskCompletionSource();
        await using var server = await ServerDouble.StartAsync(new Behaviour
        {
            OnUnary = (_, context) =>
            {
                arrived.TrySetResult();
                return Task.Delay(Timeout.Infinite, context.CancellationToken);
            },
        });
        using var client = server.Client();
        using var cancel = new CancellationTokenSource();
        var call = client.EmbedImageAsync(new byte[] { 1 }, cancellationToken: cancel.Token);
        await arrived.Task;

        await cancel.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
    }

    private static RpcException Full()
    {
        var details = new Google.Rpc.Status
        {
            Details = { Any.Pack(new RetryInfo { RetryDelay = Duration.FromTimeSpan(TimeSpan.FromMilliseconds(200)) }) },
        };
        return new RpcException(
            new Status(StatusCode.ResourceExhausted, "full"), new Metadata { { "grpc-status-details-bin", details.ToByteArray() } });
    }
}
