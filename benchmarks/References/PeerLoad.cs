using System.Diagnostics;
using System.Net.Http.Headers;
using System.Runtime.InteropServices;
using Embeddings.Benchmarks.Measuring;
using Embeddings.V1;
using Google.Protobuf;
using Grpc.Net.Client;

namespace Embeddings.Benchmarks.References;

/// <summary>
/// Load from a bare client that is the same for the service and for what it is compared with: it implements the contract, or HTTP, and no more. A run begins with
/// the first item that the server ever gets.
/// </summary>
/// <param name="run">Sends until it is cancelled, and calls the action for each item that is answered.</param>
/// <param name="embedAsync">Embeds one item.</param>
internal sealed class PeerLoad(Func<Action, CancellationToken, Task> run, Func<int, Task<float[]>> embedAsync, IDisposable owned) : IDisposable
{
    private const int FirstItems = 500;

    private static readonly TimeSpan FirstTime = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(2);

    private long _answered;

    /// <summary>Bidirectional streams with one item per message.</summary>
    public static PeerLoad Streams(string address, IReadOnlyList<StreamEmbedRequest> requests, int streams, int inFlight)
    {
        var channel = GrpcChannel.ForAddress(address);
        var client = new EmbeddingService.EmbeddingServiceClient(channel);
        return new(
            (answered, stop) => Task.WhenAll(Enumerable.Range(0, streams).Select(
                stream => Task.Run(() => StreamAsync(client, requests, stream, inFlight, answered, stop), CancellationToken.None))),
            number => CallAsync(client, requests[number]),
            channel);
    }

    /// <summary>Unary calls, so many at once.</summary>
    public static PeerLoad Calls(string address, IReadOnlyList<StreamEmbedRequest> requests, int inFlight)
    {
        var channel = GrpcChannel.ForAddress(address);
        var client = new EmbeddingService.EmbeddingServiceClient(channel);
        return AtOnce(requests.Count, inFlight, number => CallAsync(client, requests[number]), channel);
    }

    /// <summary>The encoded images of the requests as bodies of HTTP requests, so many at once.</summary>
    public static PeerLoad Http(string address, IReadOnlyList<StreamEmbedRequest> requests, int inFlight)
    {
        var client = new HttpClient { BaseAddress = new Uri(address) };
        var bodies = requests.Select(static request => request.Face.Image.Encoded.ToByteArray()).ToArray();
        return AtOnce(bodies.Length, inFlight, PostAsync, client);

        async Task<float[]> PostAsync(int number)
        {
            using var content = new ByteArrayContent(bodies[number]);
            content.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
            using var response = await client.PostAsync(new Uri("/embed", UriKind.Relative), content);
            response.EnsureSuccessStatusCode();
            return MemoryMarshal.Cast<byte, float>(await response.Content.ReadAsByteArrayAsync()).ToArray();
        }
    }

    /// <summary>The vector of an item.</summary>
    public Task<float[]> EmbedAsync(int number) => embedAsync(number);

    /// <summary>
    /// Items per second at first, which is until 500 items are answered and a second has passed, and later, after so much more load.
    /// </summary>
    public async Task<(double First, double Later)> MeasureAsync(TimeSpan warmUp, TimeSpan duration)
    {
        _answered = 0;
        using var stop = new CancellationTokenSource();
        var began = Stopwatch.GetTimestamp();
        var running = run(() => Interlocked.Increment(ref _answered), stop.Token);
        while (Volatile.Read(ref _answered) < FirstItems || Stopwatch.GetElapsedTime(began) < FirstTime)
        {
            await GoOnAsync(running, Poll);
        }
        var first = Volatile.Read(ref _answered) / Stopwatch.GetElapsedTime(began).TotalSeconds;
        await GoOnAsync(running, warmUp);
        var (before, from) = (Volatile.Read(ref _answered), Stopwatch.GetTimestamp());
        await GoOnAsync(running, duration);
        var later = (Volatile.Read(ref _answered) - before) / Stopwatch.GetElapsedTime(from).TotalSeconds;
        await stop.CancelAsync();
        await running;
        return (first, later);
    }

    public void Dispose() => owned.Dispose();

    // A failure ends the run at once.
    private static async Task GoOnAsync(Task running, TimeSpan time)
    {
        await Task.WhenAny(running, Task.Delay(time));
        if (running.IsCompleted)
        {
            await running;
            throw new BenchException("a server ended its streams");
        }
    }

    private static PeerLoad AtOnce(int count, int inFlight, Func<int, Task<float[]>> embedAsync, IDisposable owned)
    {
        return new(
            (answered, stop) => Task.WhenAll(Enumerable.Range(0, inFlight).Select(
                worker => Task.Run(() => WorkAsync(worker, answered, stop), CancellationToken.None))),
            embedAsync,
            owned);

        async Task WorkAsync(int worker, Action answered, CancellationToken stop)
        {
            for (var i = worker; !stop.IsCancellationRequested; i += inFlight)
            {
                if ((await embedAsync(i % count)).Length == 0)
                {
                    throw new BenchException("a call was answered without a vector");
                }
                answered();
            }
        }
    }

    private static async Task<float[]> CallAsync(EmbeddingService.EmbeddingServiceClient client, StreamEmbedRequest request)
    {
        var response = await client.EmbedFaceAsync(new() { Face = request.Face });
        return [.. response.Embedding.Values];
    }

    private static async Task StreamAsync(
        EmbeddingService.EmbeddingServiceClient client,
        IReadOnlyList<StreamEmbedRequest> requests,
        int first,
        int inFlight,
        Action answered,
        CancellationToken stop)
    {
        using var call = client.StreamEmbed();
        using var room = new SemaphoreSlim(inFlight);
        var writing = Task.Run(async () =>
        {
            for (var i = first; !stop.IsCancellationRequested; i++)
            {
                await room.WaitAsync(CancellationToken.None);
                await call.RequestStream.WriteAsync(requests[i % requests.Count], CancellationToken.None);
            }
            await call.RequestStream.CompleteAsync();
        });
        while (await call.ResponseStream.MoveNext(CancellationToken.None))
        {
            if (call.ResponseStream.Current.ResultCase != StreamEmbedResponse.ResultOneofCase.Embedding)
            {
                throw new BenchException($"an item failed: {call.ResponseStream.Current.Error?.Message}");
            }
            answered();
            room.Release();
        }
        await writing;
    }
}
