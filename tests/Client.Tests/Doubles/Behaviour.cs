using System.Collections.Concurrent;
using Embeddings.V1;
using Grpc.Core;

namespace Embeddings.Client.Tests.Doubles;

/// <summary>What a server double does. Streams answer each item with the number in its id unless a test says otherwise.</summary>
internal sealed class Behaviour
{
    /// <summary>Called before every unary call is answered; throws to fail it.</summary>
    public Func<string, ServerCallContext, Task> OnUnary { get; set; } = (_, _) => Task.CompletedTask;

    public Func<IAsyncStreamReader<StreamEmbedRequest>, IServerStreamWriter<StreamEmbedResponse>, ServerCallContext, Task> OnStreamEmbed { get; set; } =
        EchoAsync;

    /// <summary>The unary calls in their order, by name.</summary>
    public ConcurrentQueue<string> Calls { get; } = new();

    public List<VectorPoint> Points { get; } = [];

    public List<Model> Models { get; } = [];

    public List<Collection> Collections { get; } = [];

    public static async Task EchoAsync(
        IAsyncStreamReader<StreamEmbedRequest> requests, IServerStreamWriter<StreamEmbedResponse> responses, ServerCallContext context)
    {
        await foreach (var request in requests.ReadAllAsync(context.CancellationToken))
        {
            await responses.WriteAsync(Answer(request));
        }
    }

    public static StreamEmbedResponse Answer(StreamEmbedRequest request) => new()
    {
        ItemId = request.ItemId,
        Embedding = new Embedding { Values = { float.TryParse(request.ItemId, out var number) ? number : -1, 0, 0 }, Model = request.Model },
    };
}
