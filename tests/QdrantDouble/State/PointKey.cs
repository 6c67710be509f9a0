using Qdrant.Client.Grpc;

namespace Embeddings.QdrantDouble.State;

/// <summary>A point's id, a number or a UUID, in Qdrant's order: numbers first.</summary>
internal readonly record struct PointKey(bool IsUuid, ulong Number, Guid Uuid) : IComparable<PointKey>
{
    public static PointKey Of(PointId? id) => id switch
    {
        { HasNum: true } => new(false, id.Num, default),
        { HasUuid: true } => Guid.TryParse(id.Uuid, out var uuid)
            ? new(true, 0, uuid)
            : throw Errors.Invalid($"Unable to parse UUID: {id.Uuid}"),
        _ => throw Errors.Invalid("No ID options provided"),
    };

    public PointId ToId() => IsUuid ? new() { Uuid = Uuid.ToString() } : new() { Num = Number };

    // A Guid has the order of its big-endian bytes.
    public int CompareTo(PointKey other) => (IsUuid, other.IsUuid) switch
    {
        (true, true) => Uuid.CompareTo(other.Uuid),
        (false, false) => Number.CompareTo(other.Number),
        _ => IsUuid.CompareTo(other.IsUuid),
    };
}
