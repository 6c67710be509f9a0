using Qdrant.Client.Grpc;

namespace Embeddings.QdrantDouble.State;

/// <summary>Changes of payloads: fields that are set, at the top level or below one key, and fields that are removed.</summary>
internal static class PayloadPatch
{
    public static void Apply(Collection collection, UpdateBatchPoints request)
    {
        foreach (var operation in request.Operations)
        {
            var selector = SelectorOf(operation);
            Point[] points = selector.Filter is { } filter
                ? [.. collection.Sorted().Where(FilterMatch.Compile(filter))]
                : [.. selector.Points.Ids.Select(id => collection.Find(PointKey.Of(id)) ?? throw Errors.Invalid($"No point with id {id} found"))];
            collection.Put(points.Select(point => Changed(point, operation)));
        }
    }

    public static PointsSelector SelectorOf(PointsUpdateOperation operation) => operation switch
    {
        { SetPayload: { } set } => set.PointsSelector,
        { DeletePayload: { } delete } => delete.PointsSelector,
        _ => throw Errors.Unserved($"the operation {operation.OperationCase}"),
    };

    private static Point Changed(Point point, PointsUpdateOperation operation)
    {
        var payload = point.Payload.Clone();
        if (operation.SetPayload is { } set)
        {
            var target = payload;
            if (set.HasKey)
            {
                // A value of another kind is replaced.
                if (!payload.TryGetValue(set.Key, out var value) || value.StructValue is null)
                {
                    payload[set.Key] = value = new() { StructValue = new() };
                }
                target = value.StructValue.Fields;
            }
            foreach (var (key, value) in set.Payload)
            {
                if (value.HasNullValue)
                {
                    target.Remove(key);
                }
                else
                {
                    target[key] = value.Clone();
                }
            }
        }
        foreach (var key in operation.DeletePayload?.Keys ?? [])
        {
            JsonPath.Parse(key).Remove(payload);
        }
        return point with { Payload = payload };
    }
}
