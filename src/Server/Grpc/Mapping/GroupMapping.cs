using Embeddings.Primitives;
using Embeddings.Server.Grpc.Persons;
using Embeddings.Storage;

namespace Embeddings.Server.Grpc.Mapping;

/// <summary>Converts groupings of the contract to those of the store.</summary>
internal static class GroupMapping
{
    public const int MaxNames = 8;
    private const int MaxNameBytes = 128;
    private const int MaxSize = 100;
    private const int DefaultSize = 1;

    public static GroupSpec? ToStored(V1.GroupBy? groupBy) =>
        groupBy is null ? null : Require.Within("group_by", () => ToSpec(groupBy));

    private static GroupSpec ToSpec(V1.GroupBy groupBy)
    {
        var size = Require.Count(groupBy.GroupSize, "group_size", DefaultSize, MaxSize);
        if (groupBy.Attribute is not null && groupBy.Field != V1.GroupField.Attribute)
        {
            throw Fault.Invalid(
                Reasons.FieldInvalid,
                "attribute",
                $"attribute must be set only with the field GROUP_FIELD_ATTRIBUTE; got {(int)groupBy.Field}. Remove one of them.");
        }
        return groupBy.Field switch
        {
            V1.GroupField.MediaStoreId => new(GroupField.MediaStoreId) { Size = size },
            V1.GroupField.JobId => new(GroupField.JobId) { Size = size },
            V1.GroupField.Person =>
                new(GroupField.Attribute) { Path = [PersonAttributes.Person], NamesOnly = true, Size = size },
            V1.GroupField.Attribute => new(GroupField.Attribute) { Path = ToPath(groupBy.Attribute), Size = size },
            V1.GroupField.Unspecified => throw Require.Missing("field"),
            _ => throw Fault.Invalid(
                Reasons.FieldInvalid, "field", $"field must be a value of GroupField; got {(int)groupBy.Field}."),
        };
    }

    private static string[] ToPath(V1.AttributePath? path)
    {
        var names = Require.Present(path, "attribute").Names;
        Require.NotEmpty(names.Count, "attribute.names", MaxNames);
        return [.. names.Select((name, i) => Require.Text(name, $"attribute.names[{i}]", MaxNameBytes))];
    }
}
