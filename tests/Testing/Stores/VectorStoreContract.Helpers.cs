using System.Text.Json.Nodes;
using Embeddings.Primitives;
using Embeddings.Storage;
using Embeddings.Testing;

namespace Embeddings.Testing.Stores;

public abstract partial class VectorStoreContract
{
    internal static double Cosine(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        double dot = 0, aa = 0, bb = 0;
        for (var i = 0; i < a.Length; i++)
        {
            dot += (double)a[i] * b[i];
            aa += (double)a[i] * a[i];
            bb += (double)b[i] * b[i];
        }

        return dot / Math.Sqrt(aa * bb);
    }

    internal static StoredPoint Point(string id, float[] vector, string? attributes = null) =>
        new(id, vector, new PointPayload { Attributes = attributes is null ? null : JsonNode.Parse(attributes)!.AsObject() });

    internal static PointFilter Where(params AttributeCondition[] conditions) => new() { Attributes = conditions };

    internal static async Task<IReadOnlyList<ScoredStoredPoint>> SearchAsync(IVectorStore store, float[] query, SearchSpec spec) =>
        Assert.Single(await store.SearchAsync(Name, [new VectorQuery(query)], spec, None));

    internal static async Task AssertFaultAsync(FaultKind kind, string reason, Func<Task> action)
    {
        var fault = await Assert.ThrowsAsync<Fault>(action);
        Assert.Equal((kind, reason), (fault.Kind, fault.Reason));
    }

    /// <summary>Asserts bitwise equality; a store with a documented error overrides it.</summary>
    private protected virtual void AssertSameVector(float[] given, float[] found) => Assert.Equal(given, found);

    /// <summary>Asserts equality; a store with a documented error overrides it.</summary>
    private protected virtual void AssertSameNumber(double given, double found) => Assert.Equal(given, found);

    private static Task UpsertNumbersAsync(IVectorStore store, double[] numbers) => store.UpsertAsync(
        Name,
        [
            .. numbers.Select((number, i) =>
                new StoredPoint($"p{i:D3}", new float[] { 1, 2 }, new() { Attributes = new() { ["n"] = number } })),
        ],
        None);
}
