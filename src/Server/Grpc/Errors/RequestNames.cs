using System.Collections.Concurrent;
using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace Embeddings.Server.Grpc.Errors;

/// <summary>The collection and the model that a request names, for the details of its error.</summary>
internal readonly record struct RequestNames(string Collection, string Model)
{
    // A descriptor finds a field by a name that it composes.
    private static readonly ConcurrentDictionary<MessageDescriptor, (FieldDescriptor? Collection, FieldDescriptor? Model)> Fields = new();

    public static RequestNames Of<TRequest>(TRequest request) => request switch
    {
        // Of every item, whether it fails or not: without reflection.
        V1.StreamUpsertVectorsRequest item => new(item.Collection, item.Model),
        V1.StreamIngestRequest item => new(item.Collection, item.Model),
        V1.StreamEmbedRequest item => new("", item.Model),
        IMessage message => Of(message),
        _ => default,
    };

    private static RequestNames Of(IMessage message)
    {
        var (collection, model) = Fields.GetOrAdd(
            message.Descriptor, static type => (TextField(type, "collection"), TextField(type, "model")));
        return new(Text(message, collection), Text(message, model));
    }

    private static FieldDescriptor? TextField(MessageDescriptor type, string name) =>
        type.FindFieldByName(name) is { FieldType: FieldType.String, IsRepeated: false } field ? field : null;

    private static string Text(IMessage message, FieldDescriptor? field) =>
        field is null ? "" : (string)field.Accessor.GetValue(message);
}
