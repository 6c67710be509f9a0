using Google.Protobuf;
using Grpc.Core;

namespace Embeddings.Client.Streaming;

/// <summary>What a stream has to know of its RPC.</summary>
/// <param name="Name">The RPC's name, for messages.</param>
/// <param name="Open">The stub's method.</param>
/// <param name="RequestId">A request's item id.</param>
/// <param name="ResponseId">The item id that a response echoes.</param>
internal sealed record StreamRpc<TRequest, TResponse>(
    string Name,
    Func<CallOptions, AsyncDuplexStreamingCall<TRequest, TResponse>> Open,
    Func<TRequest, string> RequestId,
    Func<TResponse, string> ResponseId)
    where TRequest : class, IMessage<TRequest>
    where TResponse : class, IMessage<TResponse>;
