using Grpc.Core;
using Grpc.Core.Interceptors;
using Microsoft.AspNetCore.Connections.Features;

namespace Embeddings.QdrantDouble.Troubles;

/// <summary>Runs before every call: checks the API key, then injects failures.</summary>
internal sealed class TroubleInterceptor(DoubleOptions options, TroublePlan plan) : Interceptor
{
    public override async Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        Authenticate(context);
        plan.Observer?.Invoke(context.Method, request);
        var trouble = plan.Next(context.Method, request);
        if (trouble is null)
        {
            return await continuation(request, context);
        }
        var response = trouble.After ? await continuation(request, context) : null;
        switch (trouble.Kind)
        {
            case TroubleKind.Fail:
                var trailers = new Metadata();
                if (trouble.RetryAfter is { } seconds)
                {
                    trailers.Add("retry-after", $"{seconds}");
                }
                throw new RpcException(new Status(trouble.Status, trouble.Message), trailers);
            case TroubleKind.Stall:
                await StallAsync(context.CancellationToken);
                break;
            case TroubleKind.Drop:
                context.GetHttpContext().Features.Get<IConnectionLifetimeFeature>()!.Abort();
                throw new RpcException(new Status(StatusCode.Unavailable, "The connection was aborted."));
            default:
                await Task.Delay(trouble.Delay, context.CancellationToken);
                break;
        }
        return response ?? await continuation(request, context);
    }

    private async Task StallAsync(CancellationToken cancellationToken)
    {
        try
        {
            await Task.Delay(Timeout.Infinite, cancellationToken);
        }
        finally
        {
            plan.StallEnded?.Invoke();
        }
    }

    private void Authenticate(ServerCallContext context)
    {
        if (options.ApiKey is null)
        {
            return;
        }
        var key = context.RequestHeaders.GetValue("api-key")
            ?? BearerToken(context.RequestHeaders.GetValue("authorization"));
        if (key != options.ApiKey)
        {
            throw new RpcException(new Status(
                StatusCode.Unauthenticated,
                key is null ? "Must provide an API key or an Authorization bearer token" : "Invalid API key or JWT"));
        }
    }

    private static string? BearerToken(string? authorization) =>
        authorization?.StartsWith("Bearer ", StringComparison.Ordinal) is true ? authorization[7..] : null;
}
