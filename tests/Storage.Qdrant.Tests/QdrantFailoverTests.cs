using System.Net;
using System.Net.Sockets;
using Embeddings.Primitives;
using Embeddings.QdrantDouble;
using Embeddings.QdrantDouble.Troubles;
using Embeddings.Testing;

namespace Embeddings.Storage.Qdrant.Tests;

/// <summary>Several nodes: if the one that the store talks to fails, the next one takes over.</summary>
public sealed class QdrantFailoverTests : QdrantTestBase
{
    [Fact]
    public async Task Reads_and_writes_move_to_the_next_node_and_stay_there()
    {
        await using var second = await QdrantServer.StartNewAsync();
        await using var setup = await QdrantStores.StartAsync(second);
        await setup.EnsureCollectionAsync(new(Name, 2, null), None);
        // A delay that would end the test, so that it passes only if the next node is tried at once.
        await using var store = await StoreAsync(options => With(options, Server.Address, second.Address) with { RetryDelayMs = 2000 });
        await store.EnsureCollectionAsync(new(Name, 2, null), None);
        await store.UpsertAsync(Name, [Point("p")], None);
        Assert.Equal((1, 0), (Server.Troubles.Calls(Upsert), second.Troubles.Calls(Upsert)));

        await Server.StopAsync();
        Assert.Equal(0, await store.CountAsync(Name, PointFilter.All, None));
        await store.UpsertAsync(Name, [Point("q")], None);
        Assert.Equal(1, await store.CountAsync(Name, PointFilter.All, None));
        await UntilAsync(async () => await store.CheckAsync(None) is null);

        await Server.StartAsync();
        await store.UpsertAsync(Name, [Point("r")], None);
        Assert.Equal((1, 2), (Server.Troubles.Calls(Upsert), second.Troubles.Calls(Upsert)));
        await second.StopAsync();
        // The first node is back without its data.
        await FaultAsync(FaultKind.NotFound, Reasons.CollectionNotFound, () => store.GetAsync(Name, "q", None));
    }

    [Fact]
    public async Task A_node_that_becomes_silent_is_left()
    {
        await using var first = new Proxy(Server.Address);
        // Longer than the test may take: not the timeout of the call but the unanswered ping must end the attempt.
        await using var store = await StoreAsync(
            options => With(options, first.Address, Server.Address) with { ReadTimeoutSeconds = 600, ProbeSeconds = 3600 });
        await store.EnsureCollectionAsync(new(Name, 2, null), None);
        Assert.Equal(0, await store.CountAsync(Name, PointFilter.All, None));
        var before = first.Bytes;
        Assert.NotEqual(0, before);

        first.Freeze();
        Assert.Equal(0, await store.CountAsync(Name, PointFilter.All, None).WaitAsync(Limit));
        Assert.Equal(2, Troubles.Calls("Points/Count"));
    }

    [Fact]
    public async Task A_write_that_waits_after_a_failover_is_sent_again_and_does_not_overwrite_a_later_one()
    {
        await using var second = await QdrantServer.StartNewAsync();
        await using var setup = await QdrantStores.StartAsync(second);
        await setup.EnsureCollectionAsync(new(Name, 2, null), None);
        await using var store = await StoreAsync(options => With(options, Server.Address, second.Address));
        await store.EnsureCollectionAsync(new(Name, 2, null), None);
        await Server.StopAsync();
        // The double applies the first attempt after the delay.
        var late = TimeSpan.FromSeconds(4);
        second.Troubles.Add(new(TroubleKind.Late) { Method = Upsert, Times = 1, Delay = late });
        var began = TimeProvider.System.GetTimestamp();
        await store.UpsertAsync(Name, [Point("p", 1)], None).WaitAsync(Limit);
        var acked = TimeProvider.System.GetElapsedTime(began);
        await store.UpsertAsync(Name, [Point("q", 1)], None).WaitAsync(Limit);
        await store.UpsertAsync(Name, [Point("p", 2)], None).WaitAsync(Limit);
        Assert.True(TimeProvider.System.GetElapsedTime(began) >= late, "the second version did not wait for the first");
        Assert.True(second.Troubles.Calls(Upsert) >= 4, $"acked after {acked}, not sent again");
        Assert.Equal(2, (await store.GetAsync(Name, "p", None))!.Vector.Span[0], 1e-6);
    }

    [Fact]
    public async Task A_store_is_ready_if_any_node_is()
    {
        var (dead, live) = (new Uri($"http://127.0.0.1:{Tool.FreePorts(1)[0]}"), Server.Address);
        await using var store = await StoreAsync(options => With(options, dead, live));
        Assert.Null(await store.CheckAsync(None));
        await Server.StopAsync();
        await UntilAsync(async () => await store.CheckAsync(None) is not null);
        await FaultAsync(FaultKind.Unavailable, Reasons.StoreUnavailable, () => store.ListCollectionsAsync(None));
    }

    [Fact]
    public async Task A_rate_limit_is_waited_for_and_the_node_is_kept()
    {
        await using var second = await QdrantServer.StartNewAsync();
        await using var store = await StoreAsync(options => With(options, Server.Address, second.Address));
        await store.EnsureCollectionAsync(new(Name, 2, null), None);
        Troubles.Add(Trouble.RateLimit(retryAfter: 1) with { Method = Upsert, Times = 1 });
        await store.UpsertAsync(Name, [Point("p")], None).WaitAsync(Limit);
        Assert.Equal((2, 0), (Troubles.Calls(Upsert), second.Troubles.Calls(Upsert)));
    }

    private static QdrantStoreOptions With(QdrantStoreOptions options, params Uri[] nodes) =>
        options with { Url = "http://127.0.0.1:1", Urls = [.. nodes.Select(node => $"{node}")] };

    /// <summary>Forwards connections to a node until it is frozen: then they stay open, but nothing passes.</summary>
    private sealed class Proxy : IAsyncDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private readonly CancellationTokenSource _stop = new();
        private readonly Uri _target;
        private readonly Task _accepting;
        private long _bytes;
        private volatile bool _isFrozen;

        public Proxy(Uri target)
        {
            _target = target;
            _listener.Start();
            _accepting = AcceptAsync();
        }

        public Uri Address => new($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}");

        /// <summary>The number of bytes that have passed.</summary>
        public long Bytes => Interlocked.Read(ref _bytes);

        public void Freeze() => _isFrozen = true;

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            await _accepting;
            _listener.Dispose();
            _stop.Dispose();
        }

        private async Task AcceptAsync()
        {
            var connections = new List<Task>();
            try
            {
                while (true)
                {
                    connections.Add(ForwardAsync(await _listener.AcceptTcpClientAsync(_stop.Token)));
                }
            }
            catch (OperationCanceledException)
            {
                await Task.WhenAll(connections);
            }
        }

        private async Task ForwardAsync(TcpClient client)
        {
            using var server = new TcpClient();
            using (client)
            {
                try
                {
                    await server.ConnectAsync(IPAddress.Loopback, _target.Port, _stop.Token);
                    await Task.WhenAny(
                        PumpAsync(client.GetStream(), server.GetStream()), PumpAsync(server.GetStream(), client.GetStream()));
                }
                catch (Exception e) when (e is IOException or SocketException or OperationCanceledException)
                {
                }
            }
        }

        private async Task PumpAsync(NetworkStream from, NetworkStream to)
        {
            var buffer = new byte[16 << 10];
            int read;
            while ((read = await from.ReadAsync(buffer, _stop.Token)) > 0)
            {
                if (_isFrozen)
                {
                    await Task.Delay(Timeout.Infinite, _stop.Token);
                }
                Interlocked.Add(ref _bytes, read);
                await to.WriteAsync(buffer.AsMemory(0, read), _stop.Token);
            }
        }
    }
}
