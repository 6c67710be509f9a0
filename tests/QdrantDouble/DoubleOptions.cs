using System.Security.Cryptography.X509Certificates;

namespace Embeddings.QdrantDouble;

/// <summary>How the double runs.</summary>
public sealed record DoubleOptions
{
    /// <summary>Port on the loopback address; 0 for any free one.</summary>
    public int Port { get; init; }

    /// <summary>File that keeps what was written, so that another double can go on from it; null to forget.</summary>
    public string? File { get; init; }

    /// <summary>The key that calls must have; null for none.</summary>
    public string? ApiKey { get; init; }

    /// <summary>Serves TLS with it; null for plain HTTP/2.</summary>
    public X509Certificate2? Certificate { get; init; }

    /// <summary>
    /// Behaves as Qdrant before 1.16: keeps no metadata of collections, gives vectors in the older form, and with wait=false takes a vector of a wrong
    /// dimension and drops it.
    /// </summary>
    public bool Old { get; init; }

    /// <summary>Nodes of the pretended cluster, over which points are spread.</summary>
    public int Nodes { get; init; } = 3;
}
