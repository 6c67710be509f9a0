using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace Embeddings.Server.Grpc.Errors;

/// <summary>The collection and the model that a request names, for the details of its error.</summary>
internal readonly record struct RequestNames(string Collection, string Model)
{
    public static RequestNames Of<TRequest>(TRequest request) =>
        request is IMessage message ? new(Text(message, "collection"), Text(message, "model")) : default;

    private static string Text(IMessage message, string name) =>
        message.Descriptor.FindFieldByName(name) is { FieldType: FieldType.String, IsRepeated: false } field
            ? (string)field.Accessor.GetValue(message)
            : "";
}
