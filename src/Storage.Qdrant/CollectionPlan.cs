using System.Collections.Concurrent;
using System.Text.Json;
using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant;

/// <summary>Configuration and metadata of collections.</summary>
internal static class CollectionPlan
{
    private const long LayoutVersion = 1;

    public static CreateCollection Create(CollectionSpec spec, QdrantCollectionOptions options)
    {
        var create = new CreateCollection
        {
            CollectionName = spec.Name,
            VectorsConfig = new()
            {
                Params = new()
                {
                    Size = (ulong)spec.Dimension,
                    Distance = Distance.Cosine,
                    Memory = Placement(options.OnDiskVectors),
                },
            },
            ShardNumber = (uint)options.Shards,
            ReplicationFactor = (uint)options.Replicas,
            WriteConsistencyFactor = (uint)Math.Min(options.WriteConsistency, options.Replicas),
            Payload = new() { Memory = Placement(options.OnDiskPayload) },
            HnswConfig = new() { M = (ulong)options.HnswM, EfConstruct = (ulong)options.HnswEfConstruct },
        };
        if (options.QuantizeInt8)
        {
            create.QuantizationConfig = new() { Scalar = new() { Type = QuantizationType.Int8, Memory = Memory.Pinned } };
        }
        if (options.DeletedThreshold is { } share)
        {
            create.OptimizersConfig = new() { DeletedThreshold = share };
        }
        if (options.VacuumMinVectors is { } vectors)
        {
            (create.OptimizersConfig ??= new()).VacuumMinVectorNumber = (ulong)vectors;
        }
        Mark(create.Metadata, spec.Model);
        return create;
    }

    /// <summary>Returns true if Qdrant ignored the memory placement, as it does before 1.19.</summary>
    public static bool IgnoresPlacement(CollectionParams created) => created.VectorsConfig?.Params is { HasMemory: false };

    private static Memory Placement(bool onDisk) => onDisk ? Memory.Cold : Memory.Cached;

    /// <summary>Payload indexes for filters.</summary>
    public static IEnumerable<CreateFieldIndexCollection> Indexes(string collection)
    {
        return
        [
            Index(PayloadKeys.JobId, FieldType.Keyword),
            Index(PayloadKeys.MediaStoreId, FieldType.Keyword),
            Index(PayloadKeys.FaceIndex, FieldType.Integer),
            Index(PayloadKeys.Confidence, FieldType.Float),
        ];

        CreateFieldIndexCollection Index(string field, FieldType type) =>
            new() { CollectionName = collection, FieldName = field, FieldType = type, Wait = true };
    }

    /// <summary>Returns the types of the existing payload indexes by <see cref="FilterIndexes.KeyOf"/>.</summary>
    public static ConcurrentDictionary<string, FieldType> IndexesOf(IDictionary<string, PayloadSchemaInfo> schema)
    {
        var indexes = new ConcurrentDictionary<string, FieldType>(StringComparer.Ordinal);
        foreach (var (path, info) in schema)
        {
            // The two enumerations have the same names.
            if (Enum.TryParse<FieldType>($"{info.DataType}", out var type))
            {
                indexes[FilterIndexes.KeyOf(path)] = type;
            }
        }
        return indexes;
    }

    /// <summary>Writes the layout version, and the model if it is known.</summary>
    public static void Mark(IDictionary<string, Value> metadata, ModelStamp? model)
    {
        metadata[PayloadKeys.Layout] = LayoutVersion;
        if (model is not null)
        {
            metadata[PayloadKeys.Model] = model.Name;
            metadata[PayloadKeys.ModelFingerprint] = model.Fingerprint;
        }
    }

    /// <summary>Writes settings that are set.</summary>
    public static void Mark(
        IDictionary<string, Value> metadata, CollectionSettings settings, IReadOnlyList<IndexedAttribute> indexed)
    {
        if (settings.Retention is { } retention)
        {
            metadata[PayloadKeys.Retention] = (long)retention.TotalSeconds;
        }
        if (indexed.Count > 0)
        {
            metadata[PayloadKeys.Indexed] = JsonSerializer.Serialize(indexed);
        }
    }

    public static CollectionSettings SettingsOf(IDictionary<string, Value> metadata) =>
        metadata.TryGetValue(PayloadKeys.Retention, out var retention) && retention.IntegerValue > 0
            ? new() { Retention = TimeSpan.FromSeconds(retention.IntegerValue) }
            : CollectionSettings.None;

    public static IReadOnlyList<IndexedAttribute> IndexedOf(IDictionary<string, Value> metadata) =>
        IndexedAttribute.Read(metadata.TryGetValue(PayloadKeys.Indexed, out var indexed) ? indexed.StringValue : null);

    public static ModelStamp? Stamp(IDictionary<string, Value> metadata) =>
        metadata.TryGetValue(PayloadKeys.ModelFingerprint, out var fingerprint) && fingerprint.StringValue.Length > 0
            ? new(metadata.TryGetValue(PayloadKeys.Model, out var name) ? name.StringValue : "", fingerprint.StringValue)
            : null;

    /// <summary>Creates the point that stores the model. It has a vector because Qdrant requires one.</summary>
    public static PointStruct ReservedPoint(int dimension, ModelStamp model)
    {
        var vector = new DenseVector();
        vector.Data.Add(1);
        vector.Data.AddRange(Enumerable.Repeat(0f, dimension - 1));
        var point = new PointStruct
        {
            Id = PointIds.Reserved,
            Vectors = new() { Vector = new() { Dense = vector } },
        };
        Mark(point.Payload, model);
        return point;
    }

    /// <summary>Returns the reason that a collection of another program cannot be used; null if it can.</summary>
    public static string? WhyUnusable(CollectionParams? parameters) => parameters?.VectorsConfig?.Params switch
    {
        null => "it must have one unnamed vector per point, but has named vectors or none.",
        { Distance: not Distance.Cosine } vectors => $"its distance must be Cosine; got {vectors.Distance}.",
        { MultivectorConfig: not null } => "its points must have one vector, but have several.",
        { Datatype: not (Datatype.Default or Datatype.Float32) } vectors =>
            $"its data type must be Float32; got {vectors.Datatype}.",
        _ => null,
    };
}
