using System.Text.Json;

namespace Embeddings.Testing;

/// <summary>Several nodes of Qdrant that form one cluster.</summary>
public sealed class QdrantCluster : IAsyncDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    private readonly List<QdrantNode> _nodes = [];

    /// <summary>The nodes; the first is the one that the others joined.</summary>
    public IReadOnlyList<QdrantNode> Nodes => _nodes;

    /// <summary>Starts the nodes and waits until each has all the others as peers.</summary>
    public static async Task<QdrantCluster> StartAsync(int nodes)
    {
        var cluster = new QdrantCluster();
        try
        {
            for (var i = 0; i < nodes; i++)
            {
                var first = cluster._nodes.FirstOrDefault()?.Peers;
                cluster._nodes.Add(await QdrantNode.StartAsync(inCluster: true, bootstrap: first));
            }
            using var limit = new CancellationTokenSource(Limit);
            using var http = new HttpClient();
            foreach (var node in cluster._nodes)
            {
                while (await PeersAsync(http, node, limit.Token) < nodes)
                {
                    await Task.Delay(50, limit.Token);
                }
            }
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var node in _nodes)
        {
            await node.DisposeAsync();
        }
    }

    private static async Task<int> PeersAsync(HttpClient http, QdrantNode node, CancellationToken cancellationToken)
    {
        var json = await http.GetStringAsync(new Uri(node.HttpAddress, "cluster"), cancellationToken);
        using var reply = JsonDocument.Parse(json);
        return reply.RootElement.GetProperty("result").GetProperty("peers").EnumerateObject().Count();
    }
}
