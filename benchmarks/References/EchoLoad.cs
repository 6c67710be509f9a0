using System.Diagnostics;
using Embeddings.V1;
using Grpc.Net.Client;

namespace Embeddings.Benchmarks.References;

/// <summary>A bare Grpc.Net.Client that sends as fast as the connection takes it and reads what comes back.</summary>
internal sealed class EchoLoad(string address, int streams) : IDisposable
{
    private readonly GrpcChannel _channel = GrpcChannel.ForAddress(address);

    /// <summary>The number of items answered, and the seconds until the last answer.</summary>
    public Task<(long Items, double Seconds)> RunAsync(IReadOnlyList<StreamEmbedRequest> requests, TimeSpan about) =>
        RunAsync(requests, about, long.MaxValue);

    /// <summary>The same for about so many items.</summary>
    public Task<(long Items, double Seconds)> RunAsync(IReadOnlyList<StreamEmbedRequest> requests, int items) =>
        RunAsync(requests, TimeSpan.MaxValue, items / streams);

    public void Dispose() => _channel.Dispose();

    private async Task<(long Items, double Seconds)> RunAsync(IReadOnlyList<StreamEmbedRequest> requests, TimeSpan about, long each)
    {
        var began = Stopwatch.GetTimestamp();
        var counts = await Task.WhenAll(Enumerable.Range(0, streams).Select(stream => Task.Run(() => StreamAsync(requests, stream, began, about, each))));
        return (counts.Sum(), Stopwatch.GetElapsedTime(began).TotalSeconds);
    }

    private async Task<long> StreamAsync(IReadOnlyList<StreamEmbedRequest> requests, int first, long began, TimeSpan about, long most)
    {
        using var call = new EmbeddingService.EmbeddingServiceClient(_channel).StreamEmbed();
        var writing = Task.Run(async () =>
        {
            for (var i = 0L; i < most && Stopwatch.GetElapsedTime(began) < about; i++)
            {
                await call.RequestStream.WriteAsync(requests[(int)((first + i) % requests.Count)]);
            }
            await call.RequestStream.CompleteAsync();
        });
        var count = 0L;
        while (await call.ResponseStream.MoveNext(CancellationToken.None))
        {
            if (call.ResponseStream.Current.ResultCase != StreamEmbedResponse.ResultOneofCase.Embedding)
            {
                throw new BenchException("the echo answered without a vector");
            }
            count++;
        }
        await writing;
        return count;
    }
}
