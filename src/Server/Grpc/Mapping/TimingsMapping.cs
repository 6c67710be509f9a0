using Embeddings.Core;

namespace Embeddings.Server.Grpc.Mapping;

/// <summary>Where the time went, and what came of it.</summary>
internal static class TimingsMapping
{
    public static V1.Timings ToTimings(EmbedResult result, TimeSpan stored = default) => new()
    {
        QueueUs = Microseconds(result.Queued),
        PreprocessUs = Microseconds(result.Preprocessed),
        InferenceUs = Microseconds(result.Ran),
        StoreUs = Microseconds(stored),
        BatchSize = result.BatchSize,
    };

    public static V1.Timings ToTimings(TimeSpan stored) => new() { StoreUs = Microseconds(stored) };

    public static V1.Embedding ToEmbedding(EmbedResult result)
    {
        var embedding = new V1.Embedding { Model = result.Model.Name, UnitLength = result.Model.UnitLength };
        embedding.Values.AddRange(result.Vector);
        return embedding;
    }

    private static long Microseconds(TimeSpan time) => (long)time.TotalMicroseconds;
}
