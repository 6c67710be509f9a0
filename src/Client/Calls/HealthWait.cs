using Grpc.Core;
using Grpc.Health.V1;

namespace Embeddings.Client.Calls;

/// <summary>Polls the health service until it reports SERVING or the timeout expires.</summary>
internal sealed class HealthWait(CallInvoker invoker, EmbeddingsClientOptions options, TimeProvider time)
{
    private static readonly TimeSpan MaxDelay = TimeSpan.FromSeconds(1);

    private readonly Health.HealthClient _health = new(invoker);

    public async Task RunAsync(TimeSpan timeout, CancellationToken cancellationToken)
    {
        var due = time.GetUtcNow().UtcDateTime + timeout;
        var last = "no response";
        RpcException? cause = null;
        for (var tries = 1; ; tries++)
        {
            try
            {
                // An empty request checks the server as a whole.
                using var call = _health.CheckAsync(
                    new HealthCheckRequest(), new CallOptions(deadline: due, cancellationToken: cancellationToken));
                var status = (await call.ResponseAsync.ConfigureAwait(false)).Status;
                if (status == HealthCheckResponse.Types.ServingStatus.Serving)
                {
                    return;
                }

                last = "the server reports that it is not serving";
                cause = null;
            }
            catch (RpcException error)
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (error.StatusCode == StatusCode.Unimplemented)
                {
                    throw ErrorDetails.ToException(error);
                }

                if (error.StatusCode != StatusCode.DeadlineExceeded)
                {
                    last = ErrorDetails.Message(error);
                    cause = error;
                }
            }

            var backoff = RetryRules.Backoff(tries, options);
            var delay = backoff < MaxDelay ? backoff : MaxDelay;
            if (time.GetUtcNow().UtcDateTime + delay >= due)
            {
                var servers = string.Join(", ", options.Addresses);
                throw new EmbeddingsException(
                    StatusCode.DeadlineExceeded,
                    "",
                    $"No server at {servers} was serving within {timeout.TotalSeconds:0.###} s: {last}",
                    inner: cause);
            }

            await Task.Delay(delay, time, cancellationToken).ConfigureAwait(false);
        }
    }
}
