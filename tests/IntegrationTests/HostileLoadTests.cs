using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.V1;
using Grpc.Core;
using Grpc.Health.V1;
using Value = Google.Protobuf.WellKnownTypes.Value;
using Vips = NetVips;

namespace Embeddings.IntegrationTests;

/// <summary>
/// Loads that once took all memory or all processors, against a server with a memory limit. Other callers have to be answered
/// within two seconds all the time, and the memory of each load has to be returned. The loads are those of hostile clients: how
/// their own calls end does not matter, unless the load says so.
/// </summary>
public sealed class HostileLoadTests(ITestOutputHelper output)
{
    private const long Mebibyte = 1 << 20;
    private const double MaxGrowth = 1.3;

    // The goal is 2 s on an idle machine, and the figure is printed. The limit only tells waiting from being blocked, on
    // machines that run other tests at the same time.
    private static readonly TimeSpan MaxLatency = TimeSpan.FromSeconds(15);

    // 12 megapixels in about 20 MB. Encoded before the other callers start, because it takes all processors.
    private static readonly Lazy<Image> Large = new(() => TestImages.Encoded(Noise(4000, 3000)));

    [Fact]
    public async Task A_server_with_2_GiB_survives_all_loads_and_others_are_served_throughout()
    {
        _ = Large.Value;
        await using var server = await LimitedServer.StartAsync(2048);
        await using var others = await OtherCallers.StartAsync(server.Api.Channel.Target);
        (string Name, Func<LimitedServer, Task> Run)[] loads =
        [
            ("one point of a million values", LongVectorAsync),
            ("many new collections", CollectionsAsync),
            ("messages of millions of empty points", EmptyPointsAsync),
            ("half-sent messages", HalfSentAsync),
            ("large answers", AnswersAsync),
            ("reads whose callers have gone", GoneReadersAsync),
            ("malformed messages and canceled streams", MalformedAsync),
            ("tiny files of large images", TinyFilesAsync),
            ("large images on one connection", LargeImagesAsync),
            ("large files", LargeFilesAsync),
        ];
        var before = await server.SettleAsync();
        foreach (var (name, run) in loads)
        {
            var began = Stopwatch.GetTimestamp();
            await run(server).WaitAsync(Bounds.Limit, TestContext.Current.CancellationToken);
            var peak = server.Resident;
            var after = await server.ReturnsToAsync((long)(before * MaxGrowth));
            var worst = await others.WorstAsync();
            output.WriteLine(
                $"{name}: {Stopwatch.GetElapsedTime(began).TotalSeconds:F1} s, {before / Mebibyte} MiB before, {peak / Mebibyte} at the end, "
                + $"{after / Mebibyte} after; others' worst {worst.Latency.TotalMilliseconds:F0} ms ({worst.Call})");
            Assert.False(server.Process.HasExited, $"{name}: the server has ended: {server.Process.Output}");
            Assert.InRange(worst.Latency, TimeSpan.Zero, MaxLatency);
            Assert.True(after <= before * MaxGrowth, $"{name}: {before / Mebibyte} MiB before, {after / Mebibyte} MiB after");
        }
        await server.ServesAsync();
    }

    [Theory]
    [InlineData(512)]
    [InlineData(768)]
    public async Task Large_files_of_24_callers_are_refused_rather_than_the_server_killed(int mebibytes)
    {
        await using var server = await LimitedServer.StartAsync(mebibytes);
        var before = await server.SettleAsync();
        await LargeFilesAsync(server);
        await LargeFilesAsync(server);
        Assert.False(server.Process.HasExited, server.Process.Output);
        var after = await server.ReturnsToAsync((long)(before * MaxGrowth));
        output.WriteLine($"{before / Mebibyte} MiB before, {after / Mebibyte} after, peak {MemoryLimit.Peak(server.Process.Id) / Mebibyte}");
        Assert.True(after <= before * MaxGrowth, $"{before / Mebibyte} MiB before, {after / Mebibyte} MiB after");
        await server.ServesAsync();
    }

    private static async Task LongVectorAsync(LimitedServer server)
    {
        var request = new UpsertVectorsRequest { Collection = "hostile-long", Points = { Items.Point("p", Enumerable.Repeat(1f, 1_000_000)) } };
        await EndsAsync(() => server.Api.Vectors.UpsertVectorsAsync(request).Bound());
        await server.DropAsync("hostile-long");
    }

    private static async Task CollectionsAsync(LimitedServer server)
    {
        const int Count = 100;
        for (var i = 0; i < Count; i++)
        {
            await EndsAsync(() => server.Api.Vectors.UpsertVectorsAsync(
                new() { Collection = $"hostile-{i}", Points = { Items.Point("p", Items.Vector(i)) } }).Bound());
        }
        for (var i = 0; i < Count; i++)
        {
            await server.DropAsync($"hostile-{i}");
        }
    }

    private static async Task EmptyPointsAsync(LimitedServer server)
    {
        foreach (var (bytes, status) in (IEnumerable<(int, StatusCode)>)[(18_000_000, StatusCode.ResourceExhausted), (8_000_000, StatusCode.InvalidArgument)])
        {
            var points = new byte[bytes];
            for (var i = 0; i < bytes; i += 2)
            {
                points[i] = 0x12;
            }
            var frame = RawCall.Frame(points);
            await Task.WhenAll(Enumerable.Range(0, 6).Select(async _ =>
            {
                var (got, message) = await RawCall.PostAsync(server.Address, "embeddings.v1.VectorStoreService/UpsertVectors", frame);
                Assert.True(got == $"{(int)status}" || got == $"{(int)StatusCode.ResourceExhausted}", $"{got} {message}");
            }));
        }
    }

    private static async Task HalfSentAsync(LimitedServer server)
    {
        using var http = new HttpClient(new SocketsHttpHandler { EnableMultipleHttp2Connections = true });
        using var stop = new CancellationTokenSource();
        var content = Enumerable.Range(0, 60).Select(_ => new HalfMessage(15 << 20, 14 << 20)).ToList();
        var calls = content.Select(half => PostAsync(http, server.Address, "embeddings.v1.IngestService/StreamIngest", half, stop.Token)).ToList();
        // Some have sent all they will, the others wait for the server to read on.
        await Task.WhenAny(Task.WhenAll(content.Select(half => half.Sent)), Task.Delay(TimeSpan.FromSeconds(3), stop.Token));
        await stop.CancelAsync();
        await Task.WhenAll(calls);
    }

    private static async Task AnswersAsync(LimitedServer server)
    {
        const string Collection = "hostile-answers";
        const int Points = 100;
        var random = new Random(1);
        var text = new string([.. Enumerable.Range(0, 60_000).Select(_ => (char)random.Next('a', 'z'))]);
        var payload = new Payload { Attributes = new() { Fields = { ["text"] = Value.ForString(text) } } };
        foreach (var chunk in Enumerable.Range(0, Points).Chunk(25))
        {
            var points = chunk.Select(i => Items.Point($"{i}", Items.Vector(i, 8), payload));
            await server.Api.Vectors.UpsertVectorsAsync(new() { Collection = Collection, Points = { points } }).Bound();
        }
        // A server that limits answers refuses the first of these already; one that does not would be killed by the second.
        if (await SearchAsync(10) != "OK")
        {
            await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => SearchAsync(40)));
        }
        await server.DropAsync(Collection);

        async Task<string> SearchAsync(int queries) => await EndsAsync(() => server.Api.Vectors.SearchVectorsAsync(new()
        {
            Collection = Collection,
            Limit = Points,
            Queries = { Enumerable.Range(0, queries).Select(i => new SearchQuery { Vector = new() { Values = { Items.Vector(i, 8) } } }) },
        }).Bound());
    }

    private static Task GoneReadersAsync(LimitedServer server) => Task.WhenAll(Enumerable.Range(0, 100).Select(_ => EndsAsync(() =>
        server.Api.Vectors.CountVectorsAsync(
            new() { Collection = OtherCallers.Collection, Filter = new() { MediaStoreId = "none" } },
            deadline: DateTime.UtcNow.AddMilliseconds(30)).Bound())));

    private static async Task MalformedAsync(LimitedServer server)
    {
        for (var i = 0; i < 20; i++)
        {
            await RawCall.PostAsync(server.Address, "embeddings.v1.IngestService/StreamIngest", RawCall.Frame([0x07]));
            using var call = server.Api.Embedding.StreamEmbed();
            await call.RequestStream.WriteAsync(Items.EmbedFace("a", TestImages.Crop(1))).Bound();
        }
    }

    private static async Task TinyFilesAsync(LimitedServer server)
    {
        var file = Plain(10_000, 10_000, ".webp[lossless]");
        Assert.InRange(file.Length, 1, 100_000);
        await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => OnOwnConnectionAsync(server, api =>
            api.Embedding.EmbedImageAsync(new() { Image = TestImages.Encoded(file) }).FailsAsync(StatusCode.InvalidArgument, "IMAGE_TOO_LARGE"))));

        // Images that are accepted, from as many connections; the callers give up after some seconds.
        file = Plain(7000, 7000, ".webp[lossless]");
        await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => OnOwnConnectionAsync(server, api => EndsAsync(() =>
            api.Embedding.EmbedImageAsync(new() { Image = TestImages.Encoded(file) }, deadline: DateTime.UtcNow.AddSeconds(8)).Bound()))));
    }

    private static async Task LargeImagesAsync(LimitedServer server)
    {
        // The callers of half of them go away.
        var file = Plain(7000, 7000, ".png");
        await Task.WhenAll(Enumerable.Range(0, 8).Select(i => EndsAsync(() => server.Api.Embedding.EmbedImageAsync(
            new() { Image = TestImages.Encoded(file) }, deadline: i % 2 == 0 ? DateTime.UtcNow.AddMilliseconds(500) : null).Bound())));
    }

    private static async Task LargeFilesAsync(LimitedServer server)
    {
        var image = Large.Value;
        Assert.InRange(image.Encoded.Length, 15 << 20, 32 << 20);
        var ended = await Task.WhenAll(Enumerable.Range(0, 24).Select(_ => EndsAsync(() =>
            server.Api.Embedding.EmbedImageAsync(new() { Image = image }).Bound())));
        Assert.True(ended.Contains("OK"), string.Join(Environment.NewLine, ended.CountBy(end => end)));
    }

    // Returns OK, or how the call was refused or ended otherwise as the contract says.
    private static async Task<string> EndsAsync<T>(Func<Task<T>> call)
    {
        try
        {
            await call();
            return "OK";
        }
        catch (RpcException e)
        {
            Assert.True(
                e.StatusCode is StatusCode.ResourceExhausted or StatusCode.InvalidArgument or StatusCode.DeadlineExceeded or StatusCode.NotFound,
                $"{e.Status}");
            return $"{e.Status.StatusCode}: {e.Status.Detail}";
        }
    }

    private static async Task OnOwnConnectionAsync(LimitedServer server, Func<Api, Task> run)
    {
        using var api = new Api(server.Address);
        await run(api);
    }

    private static async Task PostAsync(HttpClient http, string address, string method, HttpContent content, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"{address}/{method}")
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = content,
        };
        request.Headers.TE.Add(new("trailers"));
        try
        {
            using var response = await http.SendAsync(request, cancellationToken);
        }
        catch (Exception e) when (e is OperationCanceledException or HttpRequestException)
        {
            // Canceled by the test, or ended by the server.
        }
    }

    private static byte[] Plain(int width, int height, string suffix)
    {
        using var image = Vips.Image.Black(width, height, 3);
        using var tagged = image.Copy(interpretation: Vips.Enums.Interpretation.Srgb);
        return tagged.WriteToBuffer(suffix);
    }

    // About 20 MB: between four and five bits of noise per value.
    private static byte[] Noise(int width, int height)
    {
        Vips.Image[] bands = [.. Enumerable.Range(1, 3).Select(seed => Vips.Image.Gaussnoise(width, height, sigma: 5, mean: 128, seed: seed))];
        using var joined = bands[0].Bandjoin(bands[1..]);
        using var image = joined.Cast(Vips.Enums.BandFormat.Uchar).Copy(interpretation: Vips.Enums.Interpretation.Srgb);
        return image.WriteToBuffer(".png[compression=1]");
    }

    /// <summary>A server process with a memory limit, and a connection of the hostile client.</summary>
    private sealed class LimitedServer : IAsyncDisposable
    {
        private readonly TempFolder _folder = new();
        private readonly MemoryLimit _limit;

        private LimitedServer(int mebibytes) => _limit = new(mebibytes * Mebibyte);

        public ChildProcess Process { get; private set; } = null!;

        public Api Api { get; private set; } = null!;

        public string Address => $"http://{Api.Channel.Target}";

        public long Resident => Process.ResidentBytes;

        public static async Task<LimitedServer> StartAsync(int mebibytes)
        {
            var server = new LimitedServer(mebibytes);
            (server.Process, server.Api) = await ServerProcess.StartAsync(
                server._limit,
                server._folder.Path,
                $"--Server:MaxMessageBytes={64 << 20}",
                $"--Imaging:MaxEncodedBytes={32 << 20}");
            return server;
        }

        /// <summary>
        /// Returns the resident memory after some calls of every kind that the loads use, when all code has run and all buffers
        /// exist: the lowest value in the five seconds after them.
        /// </summary>
        public async Task<long> SettleAsync()
        {
            const string Collection = "settle";
            byte[][] files = [Plain(1000, 1000, ".png"), Plain(1000, 1000, ".webp[lossless]")];
            for (var i = 0; i < 50; i++)
            {
                await Api.Embedding.EmbedImageAsync(new() { Image = TestImages.Photo(i) }).Bound();
                await Api.Embedding.EmbedImageAsync(new() { Image = TestImages.Encoded(files[i % files.Length]) }).Bound();
                await Api.Embedding.EmbedFaceAsync(new() { Face = TestImages.Crop(i) }).Bound();
                await Api.Vectors.UpsertVectorsAsync(new() { Collection = Collection, Points = { Items.Point($"{i}", Items.Vector(i)) } }).Bound();
                await Api.Vectors.SearchVectorsAsync(new()
                {
                    Collection = Collection,
                    Queries = { new SearchQuery { Vector = new() { Values = { Items.Vector(i) } } } },
                }).Bound();
                await Api.Vectors.CountVectorsAsync(new() { Collection = Collection, Filter = new() { MediaStoreId = "none" } }).Bound();
                await Api.Vectors.GetVectorAsync(new() { Collection = Collection, PointId = $"{i}" }).Bound();
                await RawCall.PostAsync(Address, "embeddings.v1.IngestService/StreamIngest", RawCall.Frame([0x07]));
            }
            await DropAsync(Collection);
            // The server returns the memory of these calls, too.
            var lowest = Resident;
            for (var i = 0; i < 50; i++)
            {
                await Task.Delay(100, CancellationToken.None);
                lowest = Math.Min(lowest, Resident);
            }
            return lowest;
        }

        /// <summary>Waits until the process has no more memory than this, or the time is over; returns what it has.</summary>
        public async Task<long> ReturnsToAsync(long bytes)
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
            while (Resident > bytes && !limit.IsCancellationRequested)
            {
                await Task.Delay(100, CancellationToken.None);
            }
            return Resident;
        }

        public async Task DropAsync(string collection) =>
            await EndsAsync(() => Api.Vectors.DeleteCollectionAsync(new() { Collection = collection }).Bound());

        public async Task ServesAsync()
        {
            Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, (await Api.Health.CheckAsync(new()).Bound()).Status);
            Assert.NotNull((await Api.Embedding.EmbedImageAsync(new() { Image = TestImages.Photo(1) }).Bound()).Embedding);
            Assert.InRange(MemoryLimit.Peak(Process.Id), 1, _limit.Bytes);
        }

        public async ValueTask DisposeAsync()
        {
            Api.Dispose();
            if (!Process.HasExited)
            {
                await Process.KillAsync();
            }
            Process.Dispose();
            _limit.Dispose();
            _folder.Dispose();
        }
    }

    /// <summary>Callers with small requests, each on a connection of its own, one call after the other.</summary>
    private sealed class OtherCallers : IAsyncDisposable
    {
        public const string Collection = "others";

        private readonly CancellationTokenSource _stop = new();
        private readonly ConcurrentBag<(string Call, TimeSpan Latency)> _latencies = [];
        private readonly List<Task> _callers = [];
        private readonly List<Api> _connections = [];

        public static async Task<OtherCallers> StartAsync(string target)
        {
            var callers = new OtherCallers();
            var photo = TestImages.Photo(7);
            var crop = TestImages.Crop(7);
            using (var api = new Api($"http://{target}"))
            {
                await api.Vectors.UpsertVectorsAsync(new() { Collection = Collection, Points = { Items.Point("p", Items.Vector(1)) } }).Bound();
            }
            callers.Start(target, "EmbedImage", api => api.Embedding.EmbedImageAsync(new() { Image = photo }));
            callers.Start(target, "EmbedFace", api => api.Embedding.EmbedFaceAsync(new() { Face = crop }));
            callers.Start(target, "GetVector", api => api.Vectors.GetVectorAsync(new() { Collection = Collection, PointId = "p" }));
            return callers;
        }

        /// <summary>
        /// Returns the longest latency since the last call. Waits for a result of each caller: a load may be shorter than a call.
        /// </summary>
        public async Task<(string Call, TimeSpan Latency)> WorstAsync()
        {
            await Bounds.UntilAsync(() => _callers.Any(caller => caller.IsCompleted)
                || _latencies.Select(call => call.Call).Distinct().Count() == _callers.Count);
            foreach (var ended in _callers.Where(caller => caller.IsCompleted))
            {
                await ended;
            }
            var all = new List<(string Call, TimeSpan Latency)>();
            while (_latencies.TryTake(out var call))
            {
                all.Add(call);
            }
            Assert.NotEmpty(all);
            return all.MaxBy(call => call.Latency);
        }

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            await Record.ExceptionAsync(() => Task.WhenAll(_callers));
            _connections.ForEach(connection => connection.Dispose());
            _stop.Dispose();
        }

        private void Start<T>(string target, string name, Func<Api, AsyncUnaryCall<T>> call)
        {
            var api = new Api($"http://{target}");
            _connections.Add(api);
            _callers.Add(Task.Run(async () =>
            {
                while (!_stop.IsCancellationRequested)
                {
                    var began = Stopwatch.GetTimestamp();
                    await call(api).Bound();
                    _latencies.Add((name, Stopwatch.GetElapsedTime(began)));
                    await Task.Delay(20);
                }
            }));
        }
    }

    /// <summary>The beginning of a message that never ends.</summary>
    private sealed class HalfMessage : HttpContent
    {
        private readonly int _declared;
        private readonly int _sent;
        private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public HalfMessage(int declared, int sent)
        {
            _declared = declared;
            _sent = sent;
            Headers.ContentType = new MediaTypeHeaderValue("application/grpc");
        }

        /// <summary>Completes when the half has been sent.</summary>
        public Task Sent => _done.Task;

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
            SerializeToStreamAsync(stream, context, CancellationToken.None);

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
        {
            var header = RawCall.Frame([]);
            System.Buffers.Binary.BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(1), _declared);
            await stream.WriteAsync(header, cancellationToken);
            var block = new byte[64 << 10];
            for (var sent = 0; sent < _sent; sent += block.Length)
            {
                await stream.WriteAsync(block, cancellationToken);
            }
            await stream.FlushAsync(cancellationToken);
            _done.TrySetResult();
            await Task.Delay(Timeout.Infinite, cancellationToken);
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
