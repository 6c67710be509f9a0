using System.Buffers;
using System.Runtime.InteropServices;
using Embeddings.Primitives;
using Embeddings.Server.Grpc.Persons;
using Embeddings.Server.Privacy;
using Google.Protobuf.Reflection;

namespace Embeddings.Server.Grpc.Admission;

/// <summary>
/// The fields of a message type, to weigh a message by its bytes before it is parsed: two bytes can become an object of a
/// hundred.
/// </summary>
internal sealed class MessageShape
{
    // Objects of Google.Protobuf: a message with its lists and its place in the list that holds it; a field that is not known
    // to the contract, with its entry in a dictionary.
    private const int MessageWeight = 128;
    private const int UnknownWeight = 128;
    private const int TextWeight = 40;

    // The parser fails at this depth.
    private const int MaxDepth = 100;

    // Repeated fields whose number the contract limits, so that a longer list is refused with the same error as by the method.
    private static readonly Dictionary<string, int> Limits = new()
    {
        [FullName<V1.UpsertVectorsRequest>("points")] = UpsertHandler.MaxPoints,
        [FullName<V1.StreamEmbedRequest>("items")] = V1.StreamMessages.MaxItems,
        [FullName<V1.StreamIngestRequest>("items")] = V1.StreamMessages.MaxItems,
        [FullName<V1.StreamUpsertVectorsRequest>("items")] = V1.StreamMessages.MaxItems,
        [FullName<V1.SearchVectorsRequest>("queries")] = SearchHandler.MaxQueries,
        [FullName<V1.ExampleQuery>("positive")] = SearchHandler.MaxExamples,
        [FullName<V1.ExampleQuery>("negative")] = SearchHandler.MaxExamples,
        [FullName<V1.DeleteVectorsRequest>("point_ids")] = DeletionHandler.MaxIds,
        [FullName<V1.SetLegalHoldRequest>("point_ids")] = DeletionHandler.MaxIds,
        [FullName<V1.SetAttributesRequest>("point_ids")] = DeletionHandler.MaxIds,
        [FullName<V1.GetVectorsRequest>("point_ids")] = VectorStoreServiceImpl.MaxIds,
        [FullName<V1.UpdateAliasesRequest>("set")] = CollectionHandler.MaxAliases,
        [FullName<V1.UpdateAliasesRequest>("delete")] = CollectionHandler.MaxAliases,
        [FullName<V1.NamePersonRequest>("point_ids")] = PersonHandler.MaxPoints,
        [FullName<V1.SplitPersonRequest>("point_ids")] = PersonHandler.MaxPoints,
        [FullName<V1.MergePersonsRequest>("persons")] = PersonHandler.MaxPersons,
    };

    private Field?[] _fields = [];

    private MessageShape()
    {
    }

    /// <summary>Returns the shape of a type; <paramref name="known"/> holds those of the types that were seen before.</summary>
    public static MessageShape Of(MessageDescriptor type, Dictionary<MessageDescriptor, MessageShape> known)
    {
        if (known.TryGetValue(type, out var shape))
        {
            return shape;
        }
        shape = known[type] = new();
        var fields = type.Fields.InFieldNumberOrder();
        shape._fields = new Field?[fields.Max(field => (int?)field.FieldNumber) + 1 ?? 0];
        foreach (var field in fields)
        {
            var isMessage = field.FieldType == FieldType.Message;
            shape._fields[field.FieldNumber] = new(
                field.Name,
                isMessage ? Of(field.MessageType, known) : null,
                field.FieldType == FieldType.String,
                Limits.GetValueOrDefault(field.FullName, int.MaxValue));
        }
        return shape;
    }

    /// <summary>True if a message of the type can contain an image.</summary>
    public static bool HasImage(MessageDescriptor type) => HasImage(type, []);

    /// <summary>
    /// Returns the bytes of the objects that the message becomes, without those of its own bytes; more than <paramref
    /// name="limit"/> if it is more. A malformed message has the weight of what is before the error, where the parser stops.
    /// </summary>
    /// <exception cref="Fault">A list is longer than the contract allows.</exception>
    public long Weigh(in ReadOnlySequence<byte> message, long limit)
    {
        var reader = new SequenceReader<byte>(message);
        var weight = 0L;
        _ = TryWeigh(ref reader, message.Length, ref weight, limit, 0);
        return weight;
    }

    private static bool HasImage(MessageDescriptor type, HashSet<MessageDescriptor> seen) =>
        type == V1.Image.Descriptor
        || (seen.Add(type) && type.Fields.InFieldNumberOrder().Any(field =>
            field.FieldType == FieldType.Message && HasImage(field.MessageType, seen)));

    private static string FullName<T>(string field)
        where T : Google.Protobuf.IMessage<T>, new() =>
        new T().Descriptor.FindFieldByName(field).FullName;

    // False if the rest need not be read.
    private bool TryWeigh(ref SequenceReader<byte> reader, long end, ref long weight, long limit, int depth)
    {
        // By field; few messages have a field whose number is limited.
        Dictionary<string, int>? counted = null;
        while (reader.Consumed < end)
        {
            if (weight > limit || depth > MaxDepth || !TryReadVarint(ref reader, out var tag))
            {
                return false;
            }
            var number = tag >> 3;
            if (number == 0)
            {
                return false;
            }
            var field = number < (ulong)_fields.Length ? _fields[number] : null;
            if (field is null)
            {
                weight += UnknownWeight;
            }
            else if (field.Limit != int.MaxValue && ++CollectionsMarshal.GetValueRefOrAddDefault(counted ??= [], field.Name, out _) > field.Limit)
            {
                throw Fault.Invalid(
                    Reasons.FieldTooLong,
                    field.Name,
                    $"{field.Name} must contain between 1 and {field.Limit} elements; got more than {field.Limit}.")
                    .With(FaultKeys.Limit, field.Limit);
            }
            switch (tag & 7)
            {
                case 0 when TryReadVarint(ref reader, out _):
                case 1 when TrySkip(ref reader, 8, end):
                case 5 when TrySkip(ref reader, 4, end):
                    // A list of values grows by doubling.
                    weight += sizeof(ulong);
                    break;
                case 2 when TryReadVarint(ref reader, out var length) && length <= (ulong)(end - reader.Consumed):
                    if (field?.Shape is { } shape)
                    {
                        weight += MessageWeight;
                        if (!shape.TryWeigh(ref reader, reader.Consumed + (long)length, ref weight, limit, depth + 1))
                        {
                            return false;
                        }
                        break;
                    }
                    weight += field is { IsText: true } ? TextWeight + ((long)length * sizeof(char)) : 0;
                    reader.Advance((long)length);
                    break;
                case 3 or 4:
                    // Groups: their fields follow, and are unknown in any shape that is looked up here, or weigh more.
                    weight += UnknownWeight;
                    break;
                default:
                    return false;
            }
        }
        return true;
    }

    private static bool TrySkip(ref SequenceReader<byte> reader, int bytes, long end)
    {
        if (end - reader.Consumed < bytes)
        {
            return false;
        }
        reader.Advance(bytes);
        return true;
    }

    private static bool TryReadVarint(ref SequenceReader<byte> reader, out ulong value)
    {
        value = 0;
        for (var shift = 0; shift < 64; shift += 7)
        {
            if (!reader.TryRead(out var next))
            {
                return false;
            }
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
            {
                return true;
            }
        }
        return false;
    }

    private sealed record Field(string Name, MessageShape? Shape, bool IsText, int Limit);
}
