using System.Collections.Concurrent;
using Embeddings.Server.Grpc.Mapping;
using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace Embeddings.Server.Audit;

/// <summary>
/// The ids and the collections that a message names, by the names of its fields: of each message its <c>point_id</c> or
/// <c>point_ids</c>, else its <c>job_id</c>, else its <c>media_store_id</c>; and the fields whose names end with
/// <c>collection</c>, and aliases.
/// </summary>
internal sealed class AuditFields
{
    /// <summary>Stands for all collections.</summary>
    public const string AllCollections = "*";

    private const string Invalid = "(invalid)";

    private static readonly string[] Package = ["embeddings.v1"];

    private static readonly ConcurrentDictionary<MessageDescriptor, AuditFields> Known = new();

    private readonly FieldDescriptor[][] _ids;
    private readonly FieldDescriptor[] _collections;
    private readonly FieldDescriptor[] _messages;

    private AuditFields(MessageDescriptor type, HashSet<MessageDescriptor> outer)
    {
        var fields = type.Fields.InFieldNumberOrder();
        _ids =
        [
            .. new[] { "point_id", "job_id", "media_store_id" }
                .Select(name => fields.Where(field => IsText(field) && (field.Name == name || field.Name == $"{name}s")).ToArray())
                .Where(static named => named.Length > 0),
        ];
        _collections = [.. fields.Where(field => IsText(field) && IsCollection(field))];
        _messages = [.. fields.Where(field => IsMessage(field) && !outer.Contains(field.MessageType) && HasAny(field.MessageType, [.. outer, type]))];
    }

    /// <summary>Returns the fields of a type.</summary>
    public static AuditFields Of(MessageDescriptor type) => Known.GetOrAdd(type, static type => new(type, [type]));

    /// <summary>Adds the ids and collections of a message.</summary>
    public void Read(IMessage message, Action<string> id, ISet<string> collections)
    {
        foreach (var named in _ids)
        {
            var count = 0;
            foreach (var field in named)
            {
                count += Texts(field, message, id);
            }
            if (count > 0)
            {
                break;
            }
        }
        foreach (var field in _collections)
        {
            Texts(field, message, name => collections.Add(Require.IsCollection(name) ? name : Invalid));
        }
        foreach (var field in _messages)
        {
            var value = field.Accessor.GetValue(message);
            if (value is IMessage inner)
            {
                Of(inner.Descriptor).Read(inner, id, collections);
            }
            else if (value is System.Collections.IList list)
            {
                foreach (IMessage item in list)
                {
                    Of(item.Descriptor).Read(item, id, collections);
                }
            }
        }
    }

    private static int Texts(FieldDescriptor field, IMessage message, Action<string> add)
    {
        var value = field.Accessor.GetValue(message);
        if (value is string text)
        {
            if (text.Length == 0)
            {
                return 0;
            }
            add(text);
            return 1;
        }
        var list = (IList<string>)value;
        foreach (var item in list)
        {
            add(item);
        }
        return list.Count;
    }

    // Aliases are names of collections, too.
    private static bool IsCollection(FieldDescriptor field) =>
        field.Name.EndsWith("collection", StringComparison.Ordinal)
        || field.Name == "alias"
        || (field.Name == "delete" && field.ContainingType == V1.UpdateAliasesRequest.Descriptor);

    private static bool IsText(FieldDescriptor field) => field.FieldType == FieldType.String && !field.IsMap;

    private static bool IsMessage(FieldDescriptor field) =>
        field.FieldType == FieldType.Message && !field.IsMap && Package.Contains(field.MessageType.File.Package);

    private static bool HasAny(MessageDescriptor type, HashSet<MessageDescriptor> outer)
    {
        var fields = new AuditFields(type, outer);
        return fields._ids.Length + fields._collections.Length + fields._messages.Length > 0;
    }
}
