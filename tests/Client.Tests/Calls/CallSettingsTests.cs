using System.Collections.Concurrent;
using Embeddings.Client.Tests.Doubles;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace Embeddings.Client.Tests.Calls;

/// <summary>Headers, credentials, and interceptors of the options.</summary>
public sealed class CallSettingsTests
{
    private readonly ConcurrentQueue<string> _seen = new();

    [Fact]
    public async Task HeadersAndTheTokenAreSentWithEveryCallAndEveryConnectionOfAStream()
    {
        var tokens = 0;
        var connections = 0;
        await using var server = await ServerDouble.StartAsync(new Behaviour
        {
            OnUnary = (_, context) => Record(context),
            OnStreamEmbed = async (requests, responses, context) =>
            {
                await Record(context);
                if (Interlocked.Increment(ref connections) == 1)
                {
                    context.GetHttpContext().Abort();
                    return;
                }

                await Behaviour.EchoAsync(requests, responses, context);
            },
        });
        using var client = server.Client(options => options with
        {
            Headers = new Dictionary<string, string> { ["x-tenant"] = "a" },
            CallCredentials = CallCredentials.FromInterceptor((_, metadata) =>
            {
                metadata.Add("authorization", $"Bearer {Interlocked.Increment(ref tokens)}");
                return Task.CompletedTask;
            }),
        });

        await client.CountVectorsAsync("c");
        Source.AssertAnswered(5, await client.StreamEmbedAsync(new Source(5).ItemsAsync()).ToListAsync());
        await client.WithDeadline(TimeSpan.FromSeconds(10)).CountVectorsAsync("c");

        Assert.Equal(["a Bearer 1", "a Bearer 2", "a Bearer 3", "a Bearer 4"], _seen);
    }

    [Fact]
    public async Task AnErrorOfTheTokenProviderIsNotABrokenConnection()
    {
        var tokens = 0;
        await using var server = await ServerDouble.StartAsync();
        using var client = server.Client(options => options with
        {
            CallCredentials = CallCredentials.FromInterceptor((_, _) =>
            {
                Interlocked.Increment(ref tokens);
                throw new InvalidOperationException("no token");
            }),
        });

        var error = await Assert.ThrowsAsync<EmbeddingsException>(
            () => client.StreamEmbedAsync(new Source(5).ItemsAsync()).ToListAsync().AsTask());

        Assert.Contains("no token", error.Message, StringComparison.Ordinal);
        Assert.Equal(1, tokens);
    }

    [Fact]
    public async Task TheFirstInterceptorIsTheOutermost()
    {
        await using var server = await ServerDouble.StartAsync(new Behaviour { OnUnary = (_, context) => Record(context) });
        using var client = server.Client(options => options with
        {
            Interceptors = [new Recorder("outer", _seen), new Recorder("inner", _seen)],
        });

        await client.CountVectorsAsync("c");
        Source.AssertAnswered(5, await client.StreamEmbedAsync(new Source(5).ItemsAsync()).ToListAsync());

        Assert.Equal(["outer", "inner", " ", "outer", "inner"], _seen);
    }

    [Fact]
    public async Task HeadersAreReadFromTheConfigurationAndCombinedWithCallCredentialsOfTheBuilder()
    {
        await using var server = await ServerDouble.StartAsync(new Behaviour { OnUnary = (_, context) => Record(context) });
        var services = new ServiceCollection();
        services.AddSingleton<IConfiguration>(new ConfigurationBuilder()
            .AddInMemoryCollection([new("Client:Addresses:0", server.Address), new("Client:Headers:x-tenant", "b")])
            .Build());
        // Without TLS, gRPC drops call credentials silently unless the channel allows them.
        services.AddEmbeddingsClient("Client").AddCallCredentials((_, metadata) =>
        {
            metadata.Add("authorization", "Bearer key");
            return Task.CompletedTask;
        });
        await using var provider = services.BuildServiceProvider();

        await provider.GetRequiredService<EmbeddingsClient>().CountVectorsAsync("c");

        Assert.Equal(["b Bearer key"], _seen);
    }

    private Task Record(ServerCallContext context)
    {
        _seen.Enqueue($"{context.RequestHeaders.GetValue("x-tenant")} {context.RequestHeaders.GetValue("authorization")}");
        return Task.CompletedTask;
    }

    private sealed class Recorder(string name, ConcurrentQueue<string> seen) : Interceptor
    {
        public override AsyncUnaryCall<TResponse> AsyncUnaryCall<TRequest, TResponse>(
            TRequest request,
            ClientInterceptorContext<TRequest, TResponse> context,
            AsyncUnaryCallContinuation<TRequest, TResponse> continuation)
        {
            seen.Enqueue(name);
            return continuation(request, context);
        }

        public override AsyncDuplexStreamingCall<TRequest, TResponse> AsyncDuplexStreamingCall<TRequest, TResponse>(
            ClientInterceptorContext<TRequest, TResponse> context,
            AsyncDuplexStreamingCallContinuation<TRequest, TResponse> continuation)
        {
            seen.Enqueue(name);
            return continuation(context);
        }
    }
}
