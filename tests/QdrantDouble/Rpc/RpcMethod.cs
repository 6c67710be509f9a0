using Google.Protobuf;
using Grpc.Core;

namespace Embeddings.QdrantDouble.Rpc;

/// <summary>
/// Methods of Qdrant's contract, declared with the messages of the client package, which has no server stubs. No code
/// generation is needed.
/// </summary>
internal static class RpcMethod
{
    /// <summary>
    /// Adds a unary method without a handler: the binder finds the handler in the service's type by the method's name.
    /// </summary>
    public static void Add<TRequest, TResponse>(ServiceBinderBase binder, string service, string name)
        where TRequest : class, IMessage<TRequest>, new()
        where TResponse : class, IMessage<TResponse>, new() =>
        binder.AddMethod(
            new Method<TRequest, TResponse>(MethodType.Unary, service, name, Marshaller<TRequest>(), Marshaller<TResponse>()),
            (UnaryServerMethod<TRequest, TResponse>)null!);

    private static Marshaller<T> Marshaller<T>()
        where T : class, IMessage<T>, new()
    {
        var parser = new MessageParser<T>(() => new T());
        return Marshallers.Create(
            (message, context) =>
            {
                context.SetPayloadLength(message.CalculateSize());
                message.WriteTo(context.GetBufferWriter());
                context.Complete();
            },
            context => parser.ParseFrom(context.PayloadAsReadOnlySequence()));
    }
}
