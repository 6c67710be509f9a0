using Embeddings.Server.Security;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Core.Interceptors;

namespace Embeddings.Server.Limits;

/// <summary>
/// Applies the limits of the caller to its calls; the items of streams are limited where they are read. Health checks and
/// reflection have no limits.
/// </summary>
internal sealed class LimitInterceptor(CallerLimiter limiter) : Interceptor
{
    public override Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation) =>
        LimitedCaller(context) is { } caller
            ? UnaryAsync(caller, request, context, continuation)
            : continuation(request, context);

    public override Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request,
        IServerStreamWriter<TResponse> responseStream,
        ServerCallContext context,
        ServerStreamingServerMethod<TRequest, TResponse> continuation) =>
        LimitedCaller(context) is { } caller
            ? StreamAsync(caller, request, context, () => continuation(request, responseStream, context))
            : continuation(request, responseStream, context);

    public override Task DuplexStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream,
        IServerStreamWriter<TResponse> responseStream,
        ServerCallContext context,
        DuplexStreamingServerMethod<TRequest, TResponse> continuation) =>
        LimitedCaller(context) is { } caller
            ? StreamAsync<TRequest>(caller, null, context, () => continuation(requestStream, responseStream, context))
            : continuation(requestStream, responseStream, context);

    private static Caller? LimitedCaller(ServerCallContext context)
    {
        var caller = Caller.Of(context.GetHttpContext());
        return CallerLimiter.IsLimited(caller) && context.Method.StartsWith("/embeddings.", StringComparison.Ordinal) ? caller : null;
    }

    private async Task<TResponse> UnaryAsync<TRequest, TResponse>(
        Caller caller, TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
        where TRequest : class
        where TResponse : class
    {
        using var call = limiter.Enter(caller);
        using var taken = await limiter.TakeAsync(caller, (IMessage)request, context.CancellationToken);
        return await continuation(request, context);
    }

    private async Task StreamAsync<TRequest>(Caller caller, TRequest? request, ServerCallContext context, Func<Task> stream)
        where TRequest : class
    {
        using var call = limiter.Enter(caller);
        using var taken = request is null ? null : await limiter.TakeAsync(caller, (IMessage)request, context.CancellationToken);
        await stream();
    }
}
