using Google.Protobuf;
using Grpc.Core;

namespace Embeddings.Client.Streaming;

/// <summary>Describes a streaming RPC.</summary>
/// <param name="Name">Name of the RPC, used in messages.</param>
/// <param name="Open">Method of the generated stub.</param>
/// <param name="RequestId">Returns the item id of a request.</param>
/// <param name="ResponseId">Returns the item id of a response.</param>
internal sealed record StreamRpc<TRequest, TResponse>(
    string Name,
    Func<CallOptions, AsyncDuplexStreamingCall<TRequest, TResponse>> Open,
    Func<TRequest, string> RequestId,
    Func<TResponse, string> ResponseId)
    where TRequest : class, IMessage<TRequest>
    where TResponse : class, IMessage<TResponse>;
