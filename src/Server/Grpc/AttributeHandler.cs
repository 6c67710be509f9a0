using System.Text.Json.Nodes;
using Embeddings.Primitives;
using Embeddings.Server.Grpc.Mapping;
using Embeddings.Server.Privacy;
using Embeddings.Storage;
using Grpc.Core;

namespace Embeddings.Server.Grpc;

/// <summary>Changes the user-defined fields of existing points.</summary>
internal sealed class AttributeHandler(IVectorStore store)
{
    private const int MaxRemovedKeys = 1000;

    public async Task<V1.SetAttributesResponse> SetAsync(V1.SetAttributesRequest request, ServerCallContext context)
    {
        var collection = Require.Collection(request.Collection);
        var filter = FilterMapping.ToStored(request.Filter);
        var ids = DeletionHandler.PointIds(request.PointIds, request.Filter is not null);
        if (ids is null && filter.IsEmpty)
        {
            throw Fault.Invalid(
                Reasons.FieldRequired,
                "filter",
                "filter must have at least one condition: the attributes of all points must not be changed by mistake.");
        }
        var change = Change(request);
        if (ids is null)
        {
            return new() { MatchedCount = await store.UpdateAttributesAsync(collection, filter, change, context.CancellationToken) };
        }
        List<string> distinct = [.. ids.Distinct(StringComparer.Ordinal)];
        await store.UpdateAttributesAsync(collection, distinct, change, context.CancellationToken);
        return new() { MatchedCount = distinct.Count };
    }

    private static Func<StoredPoint, JsonObject?> Change(V1.SetAttributesRequest request)
    {
        var set = AttributeMapping.ToJson(request.Attributes) ?? [];
        string[] remove = [.. request.RemoveKeys];
        if (remove.Length > MaxRemovedKeys)
        {
            Require.NotEmpty(remove.Length, "remove_keys", MaxRemovedKeys);
        }
        if (request.Replace && remove.Length > 0)
        {
            throw Fault.Invalid(
                Reasons.FieldInvalid, "remove_keys", "remove_keys must be empty with replace, which removes all other fields.");
        }
        if (!request.Replace && set.Count + remove.Length == 0)
        {
            throw Fault.Invalid(
                Reasons.FieldRequired, "attributes", "attributes or remove_keys is required; or set replace to remove all fields.");
        }
        if (remove.FirstOrDefault(set.ContainsKey) is { } both)
        {
            throw Fault.Invalid(
                Reasons.FieldInvalid, "remove_keys", $"remove_keys must not contain keys of attributes; got '{both}' in both.");
        }
        return point =>
        {
            var before = point.Payload.Attributes;
            var after = request.Replace ? [] : (JsonObject?)before?.DeepClone() ?? [];
            foreach (var key in remove)
            {
                after.Remove(key);
            }
            foreach (var (key, value) in set)
            {
                after[key] = value?.DeepClone();
            }
            if (JsonNode.DeepEquals(before ?? [], after))
            {
                return null;
            }
            AttributeMapping.RequireSize(after, point.Id);
            return after;
        };
    }
}
