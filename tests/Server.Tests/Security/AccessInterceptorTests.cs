using Embeddings.Primitives;
using Embeddings.Server.Security;
using Embeddings.Testing;
using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;

namespace Embeddings.Server.Tests.Security;

/// <summary>Calls that last longer than their caller's rights, and methods that forget a check.</summary>
public sealed class AccessInterceptorTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly KeyRing _ring;

    public AccessInterceptorTests()
    {
        KeysFile.Write(_folder.File("keys.json"), [KeysFileTests.Key("a")]);
        _ring = new(new() { KeysFile = _folder.File("keys.json") });
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_stream_of_responses_ends_at_the_next_one_after_its_key_was_revoked()
    {
        var written = new Written<V1.ClusterFacesResponse>();
        var context = Call("/embeddings.v1.PersonService/ClusterFaces");
        var error = await Assert.ThrowsAsync<Fault>(() => new AccessInterceptor().ServerStreamingServerHandler(
            new V1.ClusterFacesRequest(),
            written,
            context,
            async (_, responses, _) =>
            {
                await responses.WriteAsync(new());
                Revoke();
                await responses.WriteAsync(new(), TestContext.Current.CancellationToken);
            }));
        Assert.Equal((FaultKind.Unauthenticated, Reasons.KeyInvalid, 1), (error.Kind, error.Reason, written.Count));
    }

    [Fact]
    public async Task A_stream_of_requests_ends_at_the_next_one_after_its_key_was_revoked()
    {
        var read = 0;
        var error = await Assert.ThrowsAsync<Fault>(() => RunAsync(async (requests, access) =>
        {
            while (await requests.MoveNext(TestContext.Current.CancellationToken))
            {
                access.Require(requests.Current);
                read++;
                Revoke();
            }
        }));
        Assert.Equal((FaultKind.Unauthenticated, Reasons.KeyInvalid, 1), (error.Kind, error.Reason, read));
    }

    [Fact]
    public async Task A_method_that_does_not_check_its_items_fails()
    {
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => RunAsync(async (requests, _) =>
        {
            while (await requests.MoveNext(TestContext.Current.CancellationToken))
            {
            }
        }));
        Assert.Equal("/embeddings.v1.VectorStoreService/StreamUpsertVectors used an item without a check of the caller's access.", error.Message);
        error = await Assert.ThrowsAsync<InvalidOperationException>(() => RunAsync(async (requests, access) =>
        {
            await requests.MoveNext(TestContext.Current.CancellationToken);
            access.Require(new V1.StreamUpsertVectorsRequest());
        }));
        Assert.EndsWith("checked another item than the one that was read last.", error.Message, StringComparison.Ordinal);
    }

    private Task RunAsync(Func<IAsyncStreamReader<V1.StreamUpsertVectorsRequest>, IAccessStream, Task> method)
    {
        var context = Call("/embeddings.v1.VectorStoreService/StreamUpsertVectors");
        return new AccessInterceptor().DuplexStreamingServerHandler(
            new Requests([new() { Collection = "a" }, new() { Collection = "b" }]),
            new Written<V1.StreamUpsertVectorsResponse>(),
            context,
            (requests, _, _) => method(requests, context.GetHttpContext().Features.Get<IAccessStream>()!));
    }

    private void Revoke()
    {
        KeysFile.Write(_folder.File("keys.json"), [KeysFileTests.Key("b")]);
        _ring.Refresh(NullLogger.Instance);
    }

    private TestCall Call(string method)
    {
        var key = _ring.Current.Find(AccessKey.DigestOf("a"))!;
        var http = new DefaultHttpContext();
        http.Features.Set(key.Caller);
        http.Features.Set<CallerSession>(new KeySession(_ring, _ring.Current, key, TimeProvider.System));
        return new(method, http);
    }

    private sealed class Requests(V1.StreamUpsertVectorsRequest[] items) : IAsyncStreamReader<V1.StreamUpsertVectorsRequest>
    {
        private int _at = -1;

        public V1.StreamUpsertVectorsRequest Current => items[_at];

        public Task<bool> MoveNext(CancellationToken cancellationToken) => Task.FromResult(++_at < items.Length);
    }

    private sealed class Written<T> : IServerStreamWriter<T>
    {
        public int Count { get; private set; }

        public WriteOptions? WriteOptions { get; set; }

        public Task WriteAsync(T message)
        {
            Count++;
            return Task.CompletedTask;
        }
    }

    /// <summary>The context of a call, of which the interceptor reads the method and the request.</summary>
    private sealed class TestCall : ServerCallContext
    {
        private readonly string _method;

        public TestCall(string method, HttpContext http)
        {
            _method = method;
            // Where the framework's extension method looks.
            UserState["__HttpContext"] = http;
        }

        protected override string MethodCore => _method;

        protected override string HostCore => "";

        protected override string PeerCore => "";

        protected override DateTime DeadlineCore => DateTime.MaxValue;

        protected override Metadata RequestHeadersCore => [];

        protected override CancellationToken CancellationTokenCore => CancellationToken.None;

        protected override Metadata ResponseTrailersCore => [];

        protected override Status StatusCore { get; set; }

        protected override WriteOptions? WriteOptionsCore { get; set; }

        protected override AuthContext AuthContextCore => new(null, []);

        protected override ContextPropagationToken CreatePropagationTokenCore(ContextPropagationOptions? options) =>
            throw new NotSupportedException();

        protected override Task WriteResponseHeadersAsyncCore(Metadata responseHeaders) => Task.CompletedTask;
    }
}
