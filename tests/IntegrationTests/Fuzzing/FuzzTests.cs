using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Threading.Channels;
using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.IntegrationTests.Security;
using Embeddings.Server.Security;
using Embeddings.TestModels;
using Embeddings.V1;
using Google.Protobuf.Reflection;
using Grpc.Core;
using Grpc.Health.V1;

namespace Embeddings.IntegrationTests.Fuzzing;

/// <summary>
/// Damaged data of every layer against a server process: images, messages, frames of HTTP/2, headers, and credentials. Every
/// call ends with a status of the contract within its time, the process lives, and its memory stays what it was. The number of
/// inputs is that of <c>FUZZ_INPUTS</c>, all kinds together (<c>./build.sh fuzz</c>: 1,000,000); the seed of the first is
/// <c>FUZZ_SEED</c>. A failure names the seed of its input.
/// </summary>
public sealed class FuzzTests(ITestOutputHelper output)
{
    private const int Callers = 8;

    // Of a server that has had 50,000 inputs: batches and their tensors still grow a little after that.
    private const double MaxGrowth = 1.5;

    // Inputs of a round, between which the server is checked.
    private const int Round = 5000;

    private static readonly int Inputs = Setting("FUZZ_INPUTS", 30_000);
    private static readonly int FirstSeed = Setting("FUZZ_SEED", 1);

    // Statuses of a server that has understood what is wrong. UNIMPLEMENTED: an unknown method, or an encoding.
    private static readonly StatusCode[] Typed =
    [
        StatusCode.OK, StatusCode.InvalidArgument, StatusCode.NotFound, StatusCode.FailedPrecondition, StatusCode.ResourceExhausted,
        StatusCode.Unimplemented, StatusCode.Unauthenticated, StatusCode.PermissionDenied, StatusCode.DeadlineExceeded,
        StatusCode.AlreadyExists, StatusCode.OutOfRange,
    ];

    private static readonly string[] Suffixes =
    [
        ".jpg", ".jpg[interlace]", ".png", ".png[interlace]", ".webp", ".webp[lossless]", ".gif", ".tif", ".tif[compression=lzw,tile]",
        ".avif",
    ];

    private static readonly Lazy<byte[][]> Files = new(() =>
    [
        .. Suffixes.Select(suffix => TestImages.Encode(TestImages.Draw(1, 48, 36), 48, 36, 3, suffix)),
        TestImages.Encode(TestImages.Busy(16, 16, 1), 16, 16, 1, ".png"),
        TestImages.Encode(TestImages.Busy(16, 16, 4), 16, 16, 4, ".tif[compression=deflate]"),
    ]);

    private static readonly FileDescriptor[] Services =
    [
        EmbeddingServiceReflection.Descriptor, FaceServiceReflection.Descriptor, IngestServiceReflection.Descriptor,
        ModelServiceReflection.Descriptor, PersonServiceReflection.Descriptor, VectorStoreServiceReflection.Descriptor,
        HealthReflection.Descriptor,
    ];

    // Health.Watch ends with its caller only.
    private static readonly MethodDescriptor[] Methods =
    [
        .. Services.SelectMany(file => file.Services).SelectMany(service => service.Methods).Where(method => method.Name != "Watch"),
    ];

    [Fact]
    public async Task Damaged_data_gets_typed_errors_and_the_server_lives()
    {
        // Per input, images cost the most and frames the least.
        (string Kind, double Share)[] kinds = [("images", 0.2), ("messages", 0.3), ("frames", 0.25), ("headers", 0.15), ("credentials", 0.1)];
        await using var open = await Target.StartAsync();
        // Damaged credentials need a server that reads them.
        await using var secured = await Target.StartAsync(secured: true);
        Target Of(string kind) => kind == "credentials" ? secured : open;

        // The first inputs run code for the first time, and create buffers.
        foreach (var (kind, _) in kinds)
        {
            await RunAsync(Of(kind), kind, FirstSeed - (2 * Round), 2 * Round);
        }
        Dictionary<Target, long> baseline = new()
        {
            [open] = await open.SettledAsync(long.MaxValue),
            [secured] = await secured.SettledAsync(long.MaxValue),
        };
        foreach (var (kind, share) in kinds)
        {
            var target = Of(kind);
            var before = baseline[target];
            var began = Stopwatch.GetTimestamp();
            var count = (int)(Inputs * share);
            for (var done = 0; done < count; done += Round)
            {
                await RunAsync(target, kind, FirstSeed + done, Math.Min(Round, count - done));
                await target.ServesAsync($"{kind}, seeds {FirstSeed + done} to {FirstSeed + done + Round - 1}");
            }
            var after = await target.SettledAsync((long)(before * MaxGrowth));
            output.WriteLine(
                $"{kind}: {count} inputs in {Stopwatch.GetElapsedTime(began).TotalSeconds:F0} s, {before >> 20} MiB before, {after >> 20} MiB after");
            Assert.True(after <= before * MaxGrowth, $"{kind}: {before >> 20} MiB before, {after >> 20} MiB after");
        }
        output.WriteLine($"answers: {open.Summary}; {open.Streams} streams of frames and headers; to credentials: {secured.Summary}");
        // Most of the data has to reach the code behind the protocol.
        Assert.InRange(open.Streams, Inputs / 50, int.MaxValue);
        Assert.InRange(open.Answers[StatusCode.InvalidArgument], Inputs / 10, int.MaxValue);
        Assert.InRange(open.Answers[StatusCode.OK], Inputs / 50, int.MaxValue);
        Assert.InRange(secured.Answers[StatusCode.Unauthenticated], Inputs / 20, int.MaxValue);
    }

    private static async Task RunAsync(Target target, string kind, int seed, int count)
    {
        Func<Target, ChannelReader<int>, Task> run = kind switch
        {
            "images" => ImagesAsync,
            "messages" => EachAsync(MessageAsync),
            "frames" => EachAsync(FramesAsync, 10),
            "headers" => EachAsync(HeadersAsync),
            _ => EachAsync(CredentialsAsync),
        };
        var seeds = Channel.CreateUnbounded<int>();
        for (var i = 0; i < count; i++)
        {
            seeds.Writer.TryWrite(seed + i);
        }
        seeds.Writer.Complete();
        await Task.WhenAll(Enumerable.Range(0, Callers).Select(_ => Task.Run(() => run(target, seeds.Reader))));
    }

    // One input may be several frames: they count as so many.
    private static Func<Target, ChannelReader<int>, Task> EachAsync(Func<Target, Mutator, Task> send, int inputs = 1) => async (target, seeds) =>
    {
        while (seeds.TryRead(out var seed))
        {
            for (var skipped = 1; skipped < inputs && seeds.TryRead(out _); skipped++)
            {
                // Sent with this one.
            }
            try
            {
                await send(target, new Mutator(seed));
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"seed {seed}: {e.Message}", e);
            }
        }
    };

    // One stream per caller: an image that fails is its own error.
    private static async Task ImagesAsync(Target target, ChannelReader<int> seeds)
    {
        using var api = new Api(target.Address);
        using var call = api.Embedding.StreamEmbed();
        var reading = Task.Run(async () =>
        {
            while (await call.ResponseStream.MoveNext(CancellationToken.None).Bound())
            {
                var answer = call.ResponseStream.Current;
                target.Check((StatusCode)(answer.Error?.Code ?? 0), $"image, seed {answer.ItemId}: {answer.Error}");
            }
        });
        while (seeds.TryRead(out var seed))
        {
            var mutator = new Mutator(seed);
            var file = mutator.Damage(Files.Value);
            var item = new StreamEmbedRequest { ItemId = seed.ToString(CultureInfo.InvariantCulture) };
            if (mutator.Random.Next(2) == 0)
            {
                item.Image = TestImages.Encoded(file);
            }
            else
            {
                item.Face = new() { Image = TestImages.Encoded(file), Landmarks = TestImages.Landmarks(0.3f) };
            }
            await call.RequestStream.WriteAsync(item).Bound();
        }
        await call.RequestStream.CompleteAsync().Bound();
        await reading;
    }

    private static async Task MessageAsync(Target target, Mutator mutator)
    {
        var method = mutator.Pick(Methods);
        var messages = Enumerable.Range(0, method.IsClientStreaming ? mutator.Random.Next(4) : 1).Select(_ =>
        {
            var message = RandomMessages.Of(method.InputType, mutator.Random, Files.Value);
            return RawCall.Frame(mutator.Random.Next(4) == 0 ? message : mutator.Damage([message]));
        });
        var body = messages.SelectMany(frame => frame).ToArray();
        if (mutator.Random.Next(10) == 0)
        {
            body = mutator.Damage([body]);
        }
        var status = await target.PostAsync($"{method.Service.FullName}/{method.Name}", body, []);
        target.Check(status.Code, $"{method.FullName}: {status.Message}");
    }

    private static async Task FramesAsync(Target target, Mutator mutator)
    {
        var frames = new List<byte[]>();
        for (var i = 0; i < 10; i++)
        {
            var stream = mutator.Random.Next(6) switch { 0 => mutator.Random.Next(), 1 => 0, _ => (2 * i) + 1 };
            byte[] payload = mutator.Random.Next(3) == 0
                ? mutator.Noise(64)
                : RawHttp2.Block(CallHeaders(mutator.Pick(Methods), "embeddings"));
            var type = mutator.Random.Next(4) == 0 ? mutator.Random.Next(256) : mutator.Pick([(int)RawHttp2.Headers, RawHttp2.Data, 2, 3, 4, 6, 7, 8, 9]);
            frames.Add(RawHttp2.Frame((byte)type, (byte)mutator.Pick([0, 1, 4, 5, 8, 0x20, 0x2d, 255]), stream, payload));
        }
        byte[] whole = [.. frames.SelectMany(frame => frame)];
        target.Ended(await RawHttp2.SendAsync(target.Host, target.Port, mutator.Random.Next(2) == 0 ? whole : mutator.Damage([whole]), 10));
    }

    private static async Task HeadersAsync(Target target, Mutator mutator)
    {
        var headers = CallHeaders(mutator.Pick(Methods), mutator.Pick(["localhost", "", "a:b:c", "\u00e9", new string('x', 3000)]));
        for (var changes = 1 + mutator.Random.Next(2); changes > 0; changes--)
        {
            var text = Text(mutator);
            // Headers with a colon belong to the protocol: wrong ones end the connection.
            var name = mutator.Pick(mutator.Random.Next(4) == 0 ? Pseudo : Names);
            var value = mutator.Random.Next(3) == 0 ? text : mutator.Pick(Values);
            if (mutator.Random.Next(2) == 0)
            {
                headers.RemoveAll(header => header.Name == name);
            }
            var at = mutator.Random.Next(4) == 0 ? mutator.Random.Next(headers.Count + 1) : headers.Count;
            headers.Insert(at, (mutator.Random.Next(10) == 0 ? text : name, value));
        }
        byte[] frames =
        [
            .. RawHttp2.Frame(RawHttp2.Headers, RawHttp2.EndHeaders, 1, RawHttp2.Block(headers)),
            .. RawHttp2.Frame(RawHttp2.Data, RawHttp2.EndStream, 1, RawCall.Frame(mutator.Noise(20))),
        ];
        target.Ended(await RawHttp2.SendAsync(target.Host, target.Port, frames, 1));
    }

    private static async Task CredentialsAsync(Target target, Mutator mutator)
    {
        var text = new string([.. mutator.Damage(target.Credentials).Where(value => value is >= 0x20 and < 0x7f).Select(value => (char)value)]);
        var header = mutator.Pick(["authorization", "x-api-key", "Authorization", "proxy-authorization"]);
        var status = await target.PostAsync("embeddings.v1.ModelService/ListModels", RawCall.Frame([]), [(header, text)]);
        target.Check(status.Code, status.Message);
        Assert.True(status.Code != StatusCode.OK || target.Accepts(text), $"accepted: {header}: {text}");
    }

    private static readonly string[] Pseudo = [":method", ":path", ":scheme", ":authority", ":status", ":protocol", ":"];

    private static readonly string[] Names =
    [
        "content-type", "te", "grpc-timeout", "grpc-encoding",
        "grpc-accept-encoding", "content-length", "transfer-encoding", "connection", "host", "user-agent", "authorization", "x-bin", "cookie",
        "traceparent", "tracestate", "expect", "upgrade",
    ];

    private static readonly string[] Values =
    [
        "", "POST", "GET", "CONNECT", "/", "*", "http", "https", "application/grpc", "application/grpc+json", "application/json", "text/html",
        "trailers", "1n", "1S", "99999999H", "-1S", "1", "0m", "gzip", "identity", "br", "18446744073709551616", "-1", "chunked", "close",
        "100-continue", "websocket", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "=", "AAA", "200",
    ];

    private static List<(string Name, string Value)> CallHeaders(MethodDescriptor method, string authority) =>
    [
        (":method", "POST"), (":scheme", "http"), (":path", $"/{method.Service.FullName}/{method.Name}"), (":authority", authority),
        ("content-type", "application/grpc"), ("te", "trailers"),
    ];

    private static string Text(Mutator mutator) => string.Concat(mutator.Noise(40).Select(value => (char)value));

    private static int Setting(string variable, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), NumberStyles.Integer, CultureInfo.InvariantCulture, out var value)
            ? value
            : otherwise;

    /// <summary>A server process and what it has answered.</summary>
    private sealed class Target : IAsyncDisposable
    {
        private readonly TempFolder _folder = new();
        private readonly Dictionary<StatusCode, int> _answers = [];
        private readonly Lock _lock = new();
        private readonly Tokens _tokens = new();
        private readonly HttpClient _http = new(new SocketsHttpHandler { EnableMultipleHttp2Connections = true }) { Timeout = Bounds.Limit };
        private int _streams;
        private string? _secret;
        private string[] _valid = [];
        private ChildProcess _process = null!;
        private Api _api = null!;

        public IReadOnlyDictionary<StatusCode, int> Answers => _answers;

        /// <summary>Streams of HTTP/2 that the server has answered or reset.</summary>
        public int Streams => _streams;

        public string Address => $"http://{_api.Channel.Target}";

        public string Host => _api.Channel.Target.Split(':')[0];

        public int Port => int.Parse(_api.Channel.Target.Split(':')[1], CultureInfo.InvariantCulture);

        /// <summary>Values of <c>authorization</c>: a key, tokens that are valid, expired and unsigned, and others.</summary>
        public IReadOnlyList<byte[]> Credentials { get; private set; } = [];

        /// <summary>
        /// True for credentials that the damage has left intact. The last character of a signature has bits without a meaning.
        /// </summary>
        public bool Accepts(string text) => _valid.Any(valid =>
            text.Trim().Replace("Bearer", "", StringComparison.OrdinalIgnoreCase).Trim() is { } secret
            && (secret == valid || (secret.Length == valid.Length && valid.Contains('.') && secret[..^1] == valid[..^1])));

        public string Summary => string.Join(", ", Answers.OrderByDescending(answer => answer.Value).Select(answer => $"{answer.Key} {answer.Value}"));

        public static async Task<Target> StartAsync(bool secured = false)
        {
            var target = new Target();
            // The default models find faces; the models of the tests embed, because they cost little.
            string[] trained = TrainedModels.Missing is null
                ?
                [
                    $"--Models:Directories:0={TrainedModels.Folder}", $"--Models:DefaultImage={Descriptor.ImageModel}",
                    $"--Models:DefaultFace={Descriptor.FaceModel}",
                ]
                : [];
            (target._process, target._api) = await ServerProcess.StartAsync(
                target._folder.Path, [.. trained, .. secured ? target.Secure() : []]);
            return target;
        }

        private string[] Secure()
        {
            var key = AccessKey.NewKey();
            var token = _tokens.Issue("write", ["*"]);
            _valid = [key, token];
            Credentials = [.. ((string[])
            [
                $"Bearer {key}", key, $"Bearer {token}", $"Bearer {_tokens.Issue("read", expires: TimeSpan.FromHours(-1))}",
                "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIiwiZXhwIjo5OTk5OTk5OTk5fQ.",
                "Bearer eyJhbGciOiJFUzI1NiIsImtpZCI6Ii4uLy4uLyJ9.eyJpc3MiOiJ4IiwiYXVkIjpbXX0.AAAA", "Basic YTpi",
            ]).Select(System.Text.Encoding.ASCII.GetBytes)];
            var keys = _folder.Write("keys.json", $$"""{ "keys": [{ "name": "fuzz", "sha256": "{{Convert.ToHexStringLower(AccessKey.DigestOf(key))}}", "access": "manage" }] }""");
            _secret = key;
            return
            [
                $"--Security:KeysFile={keys}", $"--Security:Jwt:Issuer={Tokens.Issuer}", $"--Security:Jwt:Audience={Tokens.Audience}",
                $"--Security:Jwt:JwksFile={_folder.Write("jwks.json", _tokens.Jwks)}",
            ];
        }

        /// <summary>Fails unless a status is one of the contract for wrong input.</summary>
        public void Check(StatusCode status, string what)
        {
            lock (_lock)
            {
                _answers[status] = _answers.GetValueOrDefault(status) + 1;
            }
            Assert.True(Typed.Contains(status), $"{status}: {what}");
        }

        public void Ended(int streams) => Interlocked.Add(ref _streams, streams);

        public async Task<(StatusCode Code, string Message)> PostAsync(string method, byte[] body, IEnumerable<(string Name, string Value)> headers)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, $"{Address}/{method}")
            {
                Version = HttpVersion.Version20,
                VersionPolicy = HttpVersionPolicy.RequestVersionExact,
                Content = new ByteArrayContent(body),
            };
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/grpc");
            request.Headers.TE.Add(new("trailers"));
            // A message may say that more follows; the server must not wait longer than the call allows.
            request.Headers.TryAddWithoutValidation("grpc-timeout", "60S");
            foreach (var (name, value) in headers)
            {
                request.Headers.TryAddWithoutValidation(name, value);
            }
            using var response = await _http.SendAsync(request).Bound();
            await response.Content.ReadAsByteArrayAsync().Bound();
            var status = Find("grpc-status");
            Assert.True(status.Length > 0, $"no grpc-status; HTTP {(int)response.StatusCode}");
            return ((StatusCode)int.Parse(status, CultureInfo.InvariantCulture), Uri.UnescapeDataString(Find("grpc-message")));

            string Find(string name) =>
                response.TrailingHeaders.TryGetValues(name, out var trailing) ? trailing.First()
                : response.Headers.TryGetValues(name, out var found) ? found.First()
                : "";
        }

        /// <summary>Fails unless the server lives and answers.</summary>
        public async Task ServesAsync(string after)
        {
            Assert.False(_process.HasExited, $"after {after}, the server has ended: {_process.Output}");
            Metadata headers = _secret is { } key ? new() { { "x-api-key", key } } : [];
            Assert.NotNull((await _api.Embedding.EmbedImageAsync(new() { Image = TestImages.Photo(1) }, headers).Bound()).Embedding);
            Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, (await _api.Health.CheckAsync(new()).Bound()).Status);
        }

        /// <summary>Returns the lowest resident memory of ten seconds, earlier if it is at most this.</summary>
        public async Task<long> SettledAsync(long bytes)
        {
            var lowest = _process.ResidentBytes;
            for (var i = 0; i < 100 && (lowest > bytes || bytes == long.MaxValue); i++)
            {
                await Task.Delay(100);
                lowest = Math.Min(lowest, _process.ResidentBytes);
            }
            return lowest;
        }

        public async ValueTask DisposeAsync()
        {
            _http.Dispose();
            _tokens.Dispose();
            _api.Dispose();
            if (!_process.HasExited)
            {
                await _process.KillAsync();
            }
            _process.Dispose();
            _folder.Dispose();
        }
    }
}
