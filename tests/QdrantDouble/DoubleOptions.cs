using System.Security.Cryptography.X509Certificates;
using Qdrant.Client.Grpc;

namespace Embeddings.QdrantDouble;

/// <summary>Options of the double.</summary>
public sealed record DoubleOptions
{
    /// <summary>Port on the loopback address; 0 for any free port.</summary>
    public int Port { get; init; }

    /// <summary>File for all writes, from which another double can continue; null to keep no data.</summary>
    public string? File { get; init; }

    /// <summary>The API key that calls must have; null for none.</summary>
    public string? ApiKey { get; init; }

    /// <summary>The TLS certificate; null for plain HTTP/2.</summary>
    public X509Certificate2? Certificate { get; init; }

    /// <summary>
    /// Behaves like Qdrant before 1.16: stores no collection metadata, returns vectors in the older format, and with
    /// wait=false accepts a vector of a wrong dimension and ignores it.
    /// </summary>
    public bool Old { get; init; }

    /// <summary>The strict mode of new collections; null for none.</summary>
    public StrictModeConfig? StrictMode { get; init; }

    /// <summary>Number of nodes of the simulated cluster, among which points are distributed.</summary>
    public int Nodes { get; init; } = 3;
}
