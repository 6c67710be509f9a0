using Grpc.Core;
using Grpc.Core.Interceptors;

namespace Embeddings.Client.Calls;

/// <summary>Adds the API key, the headers, and the credentials of the options to every call.</summary>
internal sealed class CallSettings(EmbeddingsClientOptions options) : Interceptor
{
    /// <summary>Returns an invoker with the API key, headers, credentials, and interceptors of the options.</summary>
    public static CallInvoker Apply(CallInvoker invoker, EmbeddingsClientOptions options)
    {
        var inner = options.Headers.Count > 0 || options.CallCredentials is not null || options.ApiKey is not null
            ? invoker.Intercept(new CallSettings(options))
            : invoker;
        return options.Interceptors.Count > 0 ? inner.Intercept([.. options.Interceptors]) : inner;
    }

    public override AsyncUnaryCall<TResponse> AsyncUnaryCall<TRequest, TResponse>(
        TRequest request,
        ClientInterceptorContext<TRequest, TResponse> context,
        AsyncUnaryCallContinuation<TRequest, TResponse> continuation) =>
        continuation(request, With(context));

    public override AsyncServerStreamingCall<TResponse> AsyncServerStreamingCall<TRequest, TResponse>(
        TRequest request,
        ClientInterceptorContext<TRequest, TResponse> context,
        AsyncServerStreamingCallContinuation<TRequest, TResponse> continuation) =>
        continuation(request, With(context));

    public override AsyncDuplexStreamingCall<TRequest, TResponse> AsyncDuplexStreamingCall<TRequest, TResponse>(
        ClientInterceptorContext<TRequest, TResponse> context,
        AsyncDuplexStreamingCallContinuation<TRequest, TResponse> continuation) =>
        continuation(With(context));

    private ClientInterceptorContext<TRequest, TResponse> With<TRequest, TResponse>(
        ClientInterceptorContext<TRequest, TResponse> context)
        where TRequest : class
        where TResponse : class
    {
        var headers = context.Options.Headers ?? [];
        foreach (var (name, value) in options.Headers)
        {
            headers.Add(name, value);
        }

        if (options.ApiKey is { } key)
        {
            headers.Add("authorization", $"Bearer {key}");
        }

        var call = context.Options.WithHeaders(headers);
        if (options.CallCredentials is { } credentials)
        {
            call = call.WithCredentials(
                call.Credentials is { } others ? CallCredentials.Compose(others, credentials) : credentials);
        }

        return new ClientInterceptorContext<TRequest, TResponse>(context.Method, context.Host, call);
    }
}
