using Embeddings.Core;

namespace Embeddings.Server.Grpc.Mapping;

/// <summary>Form of the vectors in an ack.</summary>
internal enum Returned
{
    None,
    Values,
    Bytes,
}

/// <summary>The vectors of acks.</summary>
internal static class ReturnedVectors
{
    extension(Returned returned)
    {
        public static Returned Of(bool returnEmbedding, bool asBytes = false) =>
            !returnEmbedding ? Returned.None : asBytes ? Returned.Bytes : Returned.Values;

        public static Returned Of(V1.StreamIngestRequest request) => Returned.Of(request.ReturnEmbedding, request.VectorsAsBytes);

        /// <summary>Returns the vector of a result, or null.</summary>
        public V1.Embedding? Embedding(EmbedResult result) =>
            returned == Returned.None ? null : EmbeddingMapping.ToEmbedding(result, returned == Returned.Bytes);
    }
}
