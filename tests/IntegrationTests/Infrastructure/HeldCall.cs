using System.Net;
using System.Net.Http.Headers;
using System.Threading.Channels;
using Google.Protobuf;
using Google.Rpc;
using Grpc.Core;

namespace Embeddings.IntegrationTests.Infrastructure;

/// <summary>
/// A gRPC call whose request has a beginning but no end: the client sends some bytes and then nothing. It reads the
/// response only if the test does.
/// </summary>
internal sealed class HeldCall : IDisposable
{
    private readonly HttpClient _http = new();
    private readonly Body _body;
    private readonly Task<HttpResponseMessage> _response;

    public HeldCall(string address, string method, byte[] beginning)
    {
        _body = new(beginning);
        var request = new HttpRequestMessage(HttpMethod.Post, $"{address}/{method}")
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = _body,
        };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/grpc");
        request.Headers.TE.Add(new("trailers"));
        _response = _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
    }

    /// <summary>Completes when the bytes have been sent.</summary>
    public Task Sent => _body.Sent.Task;

    /// <summary>Returns the beginning of a message: its frame, and half of its content.</summary>
    public static byte[] Half(byte[] message) => RawCall.Frame(message)[..(5 + (message.Length / 2))];

    /// <summary>Completes at the first bytes of the response.</summary>
    public async Task AnsweredAsync()
    {
        var response = await _response.Bound();
        var stream = await response.Content.ReadAsStreamAsync().Bound();
        Assert.Equal(1, await stream.ReadAsync(new byte[1]).AsTask().Bound());
    }

    /// <summary>Reads the response to its end and returns its status and reason.</summary>
    public async Task<(StatusCode Code, string Reason, string Message)> EndAsync()
    {
        using var response = await _response.Bound();
        await (await response.Content.ReadAsStreamAsync().Bound()).CopyToAsync(Stream.Null).Bound();
        var headers = response.TrailingHeaders.Contains("grpc-status") ? response.TrailingHeaders : response.Headers;
        var details = headers.TryGetValues("grpc-status-details-bin", out var values) ? values.Single() : "";
        var status = Google.Rpc.Status.Parser.ParseFrom(
            Convert.FromBase64String(details.PadRight((details.Length + 3) / 4 * 4, '=')));
        var reason = status.Details.Select(detail => detail.TryUnpack(out ErrorInfo info) ? info.Reason : "").FirstOrDefault("");
        return ((StatusCode)int.Parse(headers.GetValues("grpc-status").Single()), reason, status.Message);
    }

    /// <summary>Sends more bytes.</summary>
    public void Send(byte[] bytes) => _body.Rest.Writer.TryWrite(bytes);

    /// <summary>Ends the request after all.</summary>
    public void End() => _body.Rest.Writer.TryComplete();

    public void Dispose()
    {
        End();
        _http.Dispose();
    }

    private sealed class Body(byte[] beginning) : HttpContent
    {
        public TaskCompletionSource Sent { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Channel<byte[]> Rest { get; } = Channel.CreateUnbounded<byte[]>();

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            await stream.WriteAsync(beginning);
            await stream.FlushAsync();
            Sent.TrySetResult();
            await foreach (var bytes in Rest.Reader.ReadAllAsync())
            {
                await stream.WriteAsync(bytes);
                await stream.FlushAsync();
            }
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}

/// <summary>
/// Clients that would delay a stop: one with half a message in a stream, one with half a message in a unary call, one
/// that does not read its response, and one with an idle stream.
/// </summary>
internal sealed class StuckClients : IDisposable
{
    private const string Collection = "stuck";

    private readonly List<HeldCall> _calls = [];

    public static async Task<StuckClients> ConnectAsync(string address, Api api)
    {
        var clients = new StuckClients();
        var item = Items.EmbedFace("item", TestImages.Crop(1)).ToByteArray();
        // When the first item is answered, the server has the half of the second one.
        clients._calls.Add(new(address, "embeddings.v1.EmbeddingService/StreamEmbed", [.. RawCall.Frame(item), .. HeldCall.Half(item)]));
        clients._calls.Add(new(address, "embeddings.v1.EmbeddingService/StreamEmbed", RawCall.Frame(item)));
        // A response of 1 MB does not fit in the client's flow-control window.
        await api.Vectors.UpsertVectorsAsync(new() { Collection = Collection, Points = { Enumerable.Range(0, 500).Select(i => Items.Point($"{i}", Items.Vector(i))) } }).Bound();
        var list = new V1.ListVectorsRequest { Collection = Collection, PageSize = 500, WithVectors = true }.ToByteArray();
        var page = new HeldCall(address, "embeddings.v1.VectorStoreService/ListVectors", RawCall.Frame(list));
        page.End();
        clients._calls.Add(page);
        foreach (var call in clients._calls)
        {
            await call.AnsweredAsync();
        }
        var unary = new HeldCall(address, "embeddings.v1.EmbeddingService/EmbedFace", HeldCall.Half(item));
        clients._calls.Add(unary);
        await unary.Sent.Bound();
        return clients;
    }

    public void Dispose() => _calls.ForEach(call => call.Dispose());
}
