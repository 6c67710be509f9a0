using Embeddings.Client;
using Embeddings.V1;
using Grpc.Core;

namespace Embeddings.Cli.Sampling;

/// <summary>The name of a collection that no other has, and that is dropped at the end: nothing stays in a store that was given.</summary>
internal sealed class ScratchCollection(EmbeddingsClient client) : IAsyncDisposable
{
    public string Name { get; } = $"run-{Guid.NewGuid():N}";

    /// <summary>Drops it; not cancelled with the rest.</summary>
    public async ValueTask DisposeAsync()
    {
        try
        {
            await client.DeleteCollectionAsync(new DeleteCollectionRequest { Collection = Name }, CancellationToken.None);
        }
        catch (EmbeddingsException e) when (e.Status == StatusCode.NotFound)
        {
            // Nothing was stored.
        }
    }
}
