using System.Collections.Frozen;
using Embeddings.Primitives;
using Embeddings.Server.Grpc.Errors;
using Embeddings.Server.Hosting;
using Google.Protobuf.Reflection;

namespace Embeddings.Server.Grpc.Admission;

/// <summary>Limits and shape of the messages of a method, for the checks before they are parsed.</summary>
/// <param name="MaxBytes">Limit on the size of a message.</param>
/// <param name="Setting">The setting of that limit.</param>
/// <param name="IsStream">True if the client sends a stream of messages.</param>
/// <param name="HasItems">True if they are items, whose memory is charged until they have been processed.</param>
/// <param name="Shape">The shape of the messages; null for other services than those of the contract.</param>
internal sealed record MessageRule(int MaxBytes, string Setting, bool IsStream, bool HasItems, MessageShape? Shape)
{
    public Fault TooLarge() => FaultStatus.TooLarge(MaxBytes, Setting);
}

/// <summary>The rules of all methods.</summary>
internal sealed class MessageRules
{
    private readonly FrozenDictionary<string, MessageRule> _rules;
    private readonly MessageRule _other;

    public MessageRules(ServerOptions options)
    {
        var withImages = (options.MaxMessageBytes, "Server:MaxMessageBytes");
        var without = options.MaxMessageBytesWithoutImages < options.MaxMessageBytes
            ? (options.MaxMessageBytesWithoutImages, "Server:MaxMessageBytesWithoutImages")
            : withImages;
        // Health and reflection.
        _other = new(without.Item1, without.Item2, IsStream: true, HasItems: false, null);
        FileDescriptor[] files =
        [
            V1.EmbeddingServiceReflection.Descriptor,
            V1.FaceServiceReflection.Descriptor,
            V1.IngestServiceReflection.Descriptor,
            V1.ModelServiceReflection.Descriptor,
            V1.PersonServiceReflection.Descriptor,
            V1.VectorStoreServiceReflection.Descriptor,
        ];
        var shapes = new Dictionary<MessageDescriptor, MessageShape>();
        _rules = files.SelectMany(file => file.Services).SelectMany(service => service.Methods).ToFrozenDictionary(
            method => $"/{method.Service.FullName}/{method.Name}",
            method =>
            {
                var (bytes, setting) = MessageShape.HasImage(method.InputType) ? withImages : without;
                var hasItems = method.InputType.FindFieldByName("items") is { FieldType: FieldType.Message } items
                    && items.MessageType == method.InputType;
                return new MessageRule(
                    bytes, setting, method.IsClientStreaming, hasItems, MessageShape.Of(method.InputType, shapes));
            },
            StringComparer.Ordinal);
    }

    /// <summary>Returns the rule of a method by its path.</summary>
    public MessageRule Of(string? path) => path is not null && _rules.TryGetValue(path, out var rule) ? rule : _other;
}
