using System.Collections.Concurrent;
using Embeddings.V1;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace Embeddings.Client.Tests.Doubles;

/// <summary>Behavior of a server double. By default, streams answer each item with the number in its id.</summary>
internal sealed class Behaviour
{
    /// <summary>Called before each unary call is answered. Throws to make the call fail.</summary>
    public Func<string, ServerCallContext, Task> OnUnary { get; set; } = (_, _) => Task.CompletedTask;

    public DuplexStreamingServerMethod<StreamEmbedRequest, StreamEmbedResponse> OnStreamEmbed { get; set; } = EchoAsync;

    /// <summary>Names of the unary calls, in call order.</summary>
    public ConcurrentQueue<string> Calls { get; } = new();

    /// <summary>Score thresholds of the searches, in call order.</summary>
    public ConcurrentQueue<float?> Thresholds { get; } = new();

    /// <summary>Attributes of the last ingested image.</summary>
    public Struct? Attributes { get; set; }

    public List<VectorPoint> Points { get; } = [];

    public List<Model> Models { get; } = [];

    public List<Collection> Collections { get; } = [];

    public List<Person> Persons { get; } = [];

    /// <summary>The last request for vectors, faces, persons, or a photo.</summary>
    public Google.Protobuf.IMessage? LastRequest { get; set; }

    public ServerStreamingServerMethod<ClusterFacesRequest, ClusterFacesResponse> OnClusterFaces { get; set; } =
        (_, responses, _) => responses.WriteAsync(new ClusterFacesResponse { Summary = new ClusterSummary() });

    /// <summary>Answers a unary call after <see cref="OnUnary"/>.</summary>
    public async Task<T> AnswerAsync<T>(string name, Google.Protobuf.IMessage request, ServerCallContext context, Func<T> answer)
    {
        Calls.Enqueue(name);
        LastRequest = request;
        await OnUnary(name, context);
        return answer();
    }

    public static async Task EchoAsync(
        IAsyncStreamReader<StreamEmbedRequest> requests,
        IServerStreamWriter<StreamEmbedResponse> responses,
        ServerCallContext context)
    {
        await foreach (var message in requests.ReadAllAsync(context.CancellationToken))
        {
            await responses.WriteAsync(AnswerMessage(message));
        }
    }

    /// <summary>Answers a message in its form: one result, or one for each of its items.</summary>
    public static StreamEmbedResponse AnswerMessage(StreamEmbedRequest message) =>
        message.Items.Count == 0 ? Answer(message) : new StreamEmbedResponse { Items = { message.Items.Select(Answer) } };

    public static StreamEmbedResponse Answer(StreamEmbedRequest request) => new()
    {
        ItemId = request.ItemId,
        Embedding = new Embedding
        {
            Values = { float.TryParse(request.ItemId, out var number) ? number : -1, 0, 0 },
            Model = request.Model,
        },
    };
}
