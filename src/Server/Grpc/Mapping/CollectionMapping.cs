using Embeddings.Primitives;
using Embeddings.Storage;
using Google.Protobuf.Collections;
using Google.Protobuf.WellKnownTypes;

namespace Embeddings.Server.Grpc.Mapping;

/// <summary>Converts collections, their settings, and orders of listings between the contract and the store.</summary>
internal static class CollectionMapping
{
    private const int MaxPath = 8;
    private const int MaxNameBytes = 128;
    private const int MinLinks = 4;
    private const int MaxLinks = 64;
    private const int DefaultLinks = 16;
    private const int MinCandidates = 16;
    private const int MaxCandidates = 1000;
    private const int DefaultCandidates = 128;

    // As Privacy:Retention: 36,525 days.
    private const long MaxRetentionSeconds = 36_525L * 24 * 60 * 60;

    public static V1.Collection ToContract(CollectionInfo collection, IEnumerable<string>? aliases = null) => new()
    {
        Name = collection.Name,
        Dimension = collection.Dimension,
        PointCount = collection.Count,
        Model = collection.Model?.Name ?? "",
        ModelFingerprint = collection.Model?.Fingerprint ?? "",
        Settings = new()
        {
            IndexedAttributes = { collection.IndexedAttributes.Select(ToContract) },
            Retention = collection.Settings.Retention?.ToDuration(),
            ApproximateIndex = collection.Settings.ApproximateIndex is { } graph
                ? new() { Links = graph.Links, BuildCandidates = graph.BuildCandidates }
                : null,
        },
        Aliases = { aliases ?? [] },
        ApproximateIndexState = ToContract(collection.ApproximateIndex),
    };

    private static V1.ApproximateIndexState? ToContract(ApproximateIndexState? state)
    {
        if (state is null)
        {
            return null;
        }
        var contract = new V1.ApproximateIndexState { IndexedCount = state.IndexedCount, SampleSize = state.SampleSize };
        if (state.RecallAt10 is { } recall)
        {
            contract.RecallAt10 = recall;
        }
        return contract;
    }

    /// <summary>The settings of a new collection, without the indexed attributes.</summary>
    public static CollectionSettings ToSettings(V1.CollectionSettings? settings) => settings is null ? CollectionSettings.None : new()
    {
        Retention = settings.Retention is null ? null : Retention(settings.Retention, "retention", 1),
        ApproximateIndex = ToGraph(settings.ApproximateIndex),
    };

    public static SettingsChange ToChange(V1.UpdateCollectionRequest request)
    {
        if (request is { ApproximateIndex: not null, RemoveApproximateIndex: true })
        {
            throw Fault.Invalid(
                Reasons.FieldInvalid,
                "remove_approximate_index",
                "remove_approximate_index must not be set together with approximate_index; remove one of them.");
        }
        var retention = request.Retention is null ? (TimeSpan?)null : Retention(request.Retention, "retention", 0);
        return new()
        {
            Retention = retention > TimeSpan.Zero ? retention : null,
            RemoveRetention = retention == TimeSpan.Zero,
            ApproximateIndex = ToGraph(request.ApproximateIndex),
            RemoveApproximateIndex = request.RemoveApproximateIndex,
        };
    }

    /// <summary>At most <see cref="IndexedAttribute.MaxPerCollection"/> attributes, each once.</summary>
    public static IReadOnlyList<IndexedAttribute> ToIndexed(RepeatedField<V1.IndexedAttribute>? attributes, string field)
    {
        if (attributes is null)
        {
            return [];
        }
        RequireCount(attributes.Count, field);
        List<IndexedAttribute> indexed =
        [
            .. attributes.Select((attribute, i) => new IndexedAttribute(
                ToPath(Require.Present(attribute.Path, $"{field}[{i}].path"), $"{field}[{i}].path"),
                ToType(attribute.Type, $"{field}[{i}].type"))),
        ];
        if (indexed.GroupBy(attribute => attribute).FirstOrDefault(same => same.Skip(1).Any()) is { } repeated)
        {
            throw Fault.Invalid(
                Reasons.FieldInvalid, field, $"{field} must contain each attribute once for each type; got {repeated.Key} twice.");
        }
        return indexed;
    }

    /// <summary>INVALID_ARGUMENT if a collection would have too many indexed attributes.</summary>
    public static void RequireCount(int count, string field)
    {
        if (count > IndexedAttribute.MaxPerCollection)
        {
            throw Fault.Invalid(
                Reasons.FieldTooLong,
                field,
                $"A collection must have at most {IndexedAttribute.MaxPerCollection} indexed attributes; got {count}. "
                + "Remove some (remove_indexed_attributes).")
                .With(FaultKeys.Limit, IndexedAttribute.MaxPerCollection)
                .With(FaultKeys.Actual, count);
        }
    }

    /// <summary>Names of nested fields.</summary>
    public static IReadOnlyList<string> ToPath(V1.AttributePath path, string field)
    {
        Require.NotEmpty(path.Names.Count, $"{field}.names", MaxPath);
        return [.. path.Names.Select((name, i) => Require.Text(name, $"{field}.names[{i}]", MaxNameBytes))];
    }

    /// <summary>Returns the order of a listing, or null for that of the store.</summary>
    /// <param name="order">The order.</param>
    /// <param name="indexed">Returns the indexed attributes of the collection.</param>
    /// <param name="collection">The collection, for the error.</param>
    public static async ValueTask<PointOrder?> ToOrderAsync(
        V1.OrderBy? order, Func<ValueTask<IReadOnlyList<IndexedAttribute>>> indexed, string collection)
    {
        switch (order?.FieldCase)
        {
            case null:
                return null;
            case V1.OrderBy.FieldOneofCase.PointId:
                RequireTrue(order.PointId, "point_id");
                return new(OrderField.PointId, order.Descending);
            case V1.OrderBy.FieldOneofCase.StoredAt:
                RequireTrue(order.StoredAt, "stored_at");
                return new(OrderField.StoredAt, order.Descending);
            case V1.OrderBy.FieldOneofCase.Confidence:
                RequireTrue(order.Confidence, "confidence");
                return new(OrderField.Confidence, order.Descending);
            case V1.OrderBy.FieldOneofCase.Attribute:
                var path = ToPath(order.Attribute, "order_by.attribute");
                var known = await indexed();
                foreach (var type in (AttributeType[])[AttributeType.Number, AttributeType.Time])
                {
                    if (new IndexedAttribute(path, type) is var attribute && known.Contains(attribute))
                    {
                        return new(OrderField.Attribute, order.Descending, attribute);
                    }
                }
                throw CollectionFaults.NotIndexed(collection, path);
            default:
                throw Fault.Invalid(
                    Reasons.FieldRequired, "order_by", "order_by must have point_id, stored_at, confidence, or attribute.");
        }
    }

    private static void RequireTrue(bool value, string field)
    {
        if (!value)
        {
            throw Fault.Invalid(
                Reasons.FieldInvalid, $"order_by.{field}", $"order_by.{field} must be true; got false. Use another field, or no order_by.");
        }
    }

    private static TimeSpan Retention(Duration duration, string field, long least) =>
        duration.Nanos == 0 && duration.Seconds >= least && duration.Seconds <= MaxRetentionSeconds
            ? TimeSpan.FromSeconds(duration.Seconds)
            : throw Fault.Invalid(
                Reasons.FieldInvalid,
                field,
                $"{field} must be between {least} and {MaxRetentionSeconds} whole seconds; got {duration.Seconds} seconds and "
                + $"{duration.Nanos} nanoseconds.")
                .With(FaultKeys.Limit, MaxRetentionSeconds)
                .With(FaultKeys.Actual, duration.Seconds);

    private static ApproximateIndexSettings? ToGraph(V1.ApproximateIndex? index) => index is null ? null : new(
        index.Links == 0 ? DefaultLinks : Require.InRange(index.Links, "approximate_index.links", MinLinks, MaxLinks),
        index.BuildCandidates == 0
            ? DefaultCandidates
            : Require.InRange(index.BuildCandidates, "approximate_index.build_candidates", MinCandidates, MaxCandidates));

    private static AttributeType ToType(V1.AttributeType type, string field) => type switch
    {
        V1.AttributeType.Text => AttributeType.Text,
        V1.AttributeType.Number => AttributeType.Number,
        V1.AttributeType.Flag => AttributeType.Flag,
        V1.AttributeType.Time => AttributeType.Time,
        V1.AttributeType.Unspecified => throw Require.Missing(field),
        _ => throw Fault.Invalid(
            Reasons.FieldInvalid,
            field,
            $"{field} must be ATTRIBUTE_TYPE_TEXT, ATTRIBUTE_TYPE_NUMBER, ATTRIBUTE_TYPE_FLAG, or ATTRIBUTE_TYPE_TIME; got {(int)type}."),
    };

    private static V1.IndexedAttribute ToContract(IndexedAttribute attribute) => new()
    {
        Path = new() { Names = { attribute.Path } },
        Type = attribute.Type switch
        {
            AttributeType.Number => V1.AttributeType.Number,
            AttributeType.Flag => V1.AttributeType.Flag,
            AttributeType.Time => V1.AttributeType.Time,
            _ => V1.AttributeType.Text,
        },
    };
}
