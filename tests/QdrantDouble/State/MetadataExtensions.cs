using Google.Protobuf.Collections;
using Qdrant.Client.Grpc;

namespace Embeddings.QdrantDouble.State;

/// <summary>Merges a collection's metadata: the given keys are replaced, others stay.</summary>
internal static class MetadataExtensions
{
    public static void MergeFrom(this MapField<string, Value> metadata, MapField<string, Value> changes)
    {
        foreach (var (key, value) in changes)
        {
            metadata[key] = value;
        }
    }
}
