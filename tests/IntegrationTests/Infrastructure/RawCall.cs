using System.Buffers.Binary;
using System.Net;
using System.Net.Http.Headers;

namespace Embeddings.IntegrationTests.Infrastructure;

/// <summary>gRPC over an HTTP client, for data that a generated client cannot send.</summary>
internal static class RawCall
{
    /// <summary>Returns a message with its gRPC frame.</summary>
    public static byte[] Frame(ReadOnlySpan<byte> message)
    {
        var frame = new byte[5 + message.Length];
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(1), message.Length);
        message.CopyTo(frame.AsSpan(5));
        return frame;
    }

    /// <summary>Posts data to a method; returns the status code from the headers or trailers.</summary>
    public static async Task<(string Status, string Message)> PostAsync(string address, string method, byte[] body)
    {
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Post, $"{address}/{method}")
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent(body),
        };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/grpc");
        request.Headers.TE.Add(new("trailers"));
        using var response = await http.SendAsync(request).Bound();
        await response.Content.ReadAsByteArrayAsync().Bound();
        return (Find("grpc-status"), Uri.UnescapeDataString(Find("grpc-message")));

        string Find(string name) =>
            response.TrailingHeaders.TryGetValues(name, out var trailing) ? trailing.First()
            : response.Headers.TryGetValues(name, out var headers) ? headers.First()
            : "";
    }
}
