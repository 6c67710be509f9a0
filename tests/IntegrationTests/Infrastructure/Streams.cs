using Grpc.Core;

namespace Embeddings.IntegrationTests.Infrastructure;

/// <summary>Both directions of a stream at once, as a good client does it.</summary>
internal static class Streams
{
    /// <summary>Sends everything, half-closes and returns all answers once the stream has ended well.</summary>
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

    /// <summary>All answers until the stream ends; throws where it ends badly.</summary>
    public static async Task<List<T>> DrainAsync<T>(this IAsyncStreamReader<T> reader)
    {
        var answers = new List<T>();
        while (await reader.MoveNext(CancellationToken.None).Bound())
        {
            answers.Add(reader.Current);
        }
        return answers;
    }

    /// <summary>The next answers, as many as asked for.</summary>
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
