using Google.Protobuf.Collections;
using Qdrant.Client.Grpc;

namespace Embeddings.QdrantDouble.State;

/// <summary>Changes to a collection's metadata: keys that are named are replaced, the others stay.</summary>
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
