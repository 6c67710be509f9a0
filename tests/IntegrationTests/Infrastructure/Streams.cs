using Grpc.Core;

namespace Embeddings.IntegrationTests.Infrastructure;

/// <summary>Concurrent sending and receiving on a stream.</summary>
internal static class Streams
{
    /// <summary>Sends all requests, half-closes, and returns all responses after the stream has ended with OK.</summary>
    public static async Task<List<TResponse>> ExchangeAsync<TRequest, TResponse>(
        this AsyncDuplexStreamingCall<TRequest, TResponse> call, IEnumerable<TRequest> requests)
    {
        using (call)
        {
            var sending = SendAsync(call.RequestStream, requests);
            var answers = await call.ResponseStream.DrainAsync();
            await sending.Bound();
            Assert.Equal(StatusCode.OK, call.GetStatus().StatusCode);
            return answers;
        }
    }

    /// <summary>Returns all responses until the stream ends; throws if it ends with an error.</summary>
    public static async Task<List<T>> DrainAsync<T>(this IAsyncStreamReader<T> reader)
    {
        var answers = new List<T>();
        while (await reader.MoveNext(CancellationToken.None).Bound())
        {
            answers.Add(reader.Current);
        }
        return answers;
    }

    /// <summary>Returns the next responses.</summary>
    public static async Task<List<T>> TakeAsync<T>(this IAsyncStreamReader<T> reader, int count)
    {
        var answers = new List<T>();
        while (answers.Count < count)
        {
            Assert.True(await reader.MoveNext(CancellationToken.None).Bound(), $"the stream ended after {answers.Count} of {count} answers");
            answers.Add(reader.Current);
        }
        return answers;
    }

    private static async Task SendAsync<T>(IClientStreamWriter<T> writer, IEnumerable<T> requests)
    {
        foreach (var request in requests)
        {
            await writer.WriteAsync(request).Bound();
        }
        await writer.CompleteAsync().Bound();
    }
}
