using Embeddings.QdrantDouble.State;
using Google.Protobuf.Collections;
using Qdrant.Client.Grpc;

namespace Embeddings.QdrantDouble.Services;

/// <summary>Maps points to responses.</summary>
internal static class Replies
{
    public static RetrievedPoint Retrieved(Point point, WithPayloadSelector? withPayload, WithVectorsSelector? withVectors, DoubleOptions options)
    {
        var reply = new RetrievedPoint { Id = point.Key.ToId(), Vectors = Vectors(point, withVectors, options) };
        Fill(reply.Payload, point, withPayload);
        return reply;
    }

    public static ScoredPoint Scored(Point point, float score, WithPayloadSelector? withPayload, WithVectorsSelector? withVectors, DoubleOptions options)
    {
        var reply = new ScoredPoint { Id = point.Key.ToId(), Score = score, Vectors = Vectors(point, withVectors, options) };
        Fill(reply.Payload, point, withPayload);
        return reply;
    }

    private static VectorsOutput? Vectors(Point point, WithVectorsSelector? selector, DoubleOptions options)
    {
        if (selector is not { Enable: true })
        {
            return null;
        }
        var output = new VectorOutput();
        if (options.Old)
        {
#pragma warning disable CS0612 // Filled by old servers.
            output.Data.AddRange(point.Vector);
#pragma warning restore CS0612
        }
        else
        {
            output.Dense = new() { Data = { point.Vector } };
        }
        return new() { Vector = output };
    }

    private static void Fill(MapField<string, Value> payload, Point point, WithPayloadSelector? selector)
    {
        if (selector is { Enable: true })
        {
            payload.Add(point.Payload);
        }
        else if (selector?.Include is { } include)
        {
            foreach (var field in include.Fields)
            {
                // Of a nested field, Qdrant returns only the field; the whole value that contains it is enough here.
                var outer = field.Split('.')[0];
                if (point.Payload.TryGetValue(outer, out var value))
                {
                    payload[outer] = value;
                }
            }
        }
    }
}
