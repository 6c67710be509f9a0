using Grpc.Core;

namespace Embeddings.Client.Calls;

/// <summary>Polls the health service until it reports SERVING or the timeout expires.</summary>
internal sealed class HealthWait(CallInvoker invoker, EmbeddingsClientOptions options, TimeProvider time)
{
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(1);

    public async Task RunAsync(TimeSpan timeout, CancellationToken cancellationToken)
    {
        var due = time.GetUtcNow().UtcDateTime + timeout;
        var last = "no response";
        RpcException? cause = null;
        for (var tries = 1; ; tries++)
        {
            try
            {
                if (await HealthProbe.IsServingAsync(invoker, due, cancellationToken).ConfigureAwait(false))
                {
                    return;
                }

                (last, cause) = ("the server reports that it is not serving", null);
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
                    (last, cause) = (ErrorDetails.Message(error), error);
                }
            }

            var backoff = Backoff.Delay(tries, options, Random.Shared.NextDouble());
            var delay = backoff < Longest ? backoff : Longest;
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
