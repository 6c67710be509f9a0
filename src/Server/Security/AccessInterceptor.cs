using Grpc.Core;
using Grpc.Core.Interceptors;

namespace Embeddings.Server.Security;

/// <summary>
/// Checks the collections of each request, by the table, before its method sees it; and in calls that last longer, whether
/// the caller is still accepted. The access that a method needs has been checked by then (<see cref="AccessPolicy"/>), before
/// anything of the body was read.
/// </summary>
internal sealed class AccessInterceptor : Interceptor
{
    public override Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        Require(request, context);
        return continuation(request, context);
    }

    public override Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request,
        IServerStreamWriter<TResponse> responseStream,
        ServerCallContext context,
        ServerStreamingServerMethod<TRequest, TResponse> continuation)
    {
        var session = Require(request, context);
        return continuation(request, session is null ? responseStream : new Writer<TResponse>(responseStream, session), context);
    }

    public override Task<TResponse> ClientStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream,
        ServerCallContext context,
        ClientStreamingServerMethod<TRequest, TResponse> continuation) =>
        continuation(Wrap(requestStream, context), context);

    public override Task DuplexStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream,
        IServerStreamWriter<TResponse> responseStream,
        ServerCallContext context,
        DuplexStreamingServerMethod<TRequest, TResponse> continuation) =>
        continuation(Wrap(requestStream, context), responseStream, context);

    private static CallerSession? Require<TRequest>(TRequest request, ServerCallContext context)
        where TRequest : class
    {
        var (row, session, caller) = Of(context);
        // Health checks need no caller.
        if (row.Access == Access.None)
        {
            return null;
        }
        row.Require(session?.Renew() ?? caller, request);
        return session;
    }

    private static AccessStream<TRequest> Wrap<TRequest>(IAsyncStreamReader<TRequest> requests, ServerCallContext context)
        where TRequest : class
    {
        var (row, session, caller) = Of(context);
        var stream = new AccessStream<TRequest>(requests, row, session, caller);
        context.GetHttpContext().Features.Set<IAccessStream>(stream);
        return stream;
    }

    private static (AccessRow Row, CallerSession? Session, Caller Caller) Of(ServerCallContext context)
    {
        var http = context.GetHttpContext();
        // Without a row, the server would not have started.
        return (AccessTable.Find(context.Method)!, http.Features.Get<CallerSession>(), Caller.Of(http));
    }

    private sealed class Writer<T>(IServerStreamWriter<T> inner, CallerSession session) : IServerStreamWriter<T>
    {
        public WriteOptions? WriteOptions
        {
            get => inner.WriteOptions;
            set => inner.WriteOptions = value;
        }

        public Task WriteAsync(T message) => WriteAsync(message, CancellationToken.None);

        public Task WriteAsync(T message, CancellationToken cancellationToken)
        {
            session.Renew();
            return inner.WriteAsync(message, cancellationToken);
        }
    }
}

/// <summary>The check of the items of a stream.</summary>
internal interface IAccessStream
{
    /// <summary>The caller with the rights that it has now.</summary>
    Caller Caller { get; }

    /// <summary>Fault unless the caller may send the item that was read last.</summary>
    void Require(object item);
}

/// <summary>
/// The requests of a stream. It ends when the caller is not accepted any more. A method must check each item with <see
/// cref="Require"/>, whose fault is that of the item, before it reads the next one.
/// </summary>
internal sealed class AccessStream<T>(IAsyncStreamReader<T> inner, AccessRow row, CallerSession? session, Caller caller)
    : IAsyncStreamReader<T>, IAccessStream
    where T : class
{
    private Caller _caller = caller;
    // The item that was read last and has not been checked.
    private T? _unchecked;

    public T Current => inner.Current;

    public Caller Caller => _caller;

    public Task<bool> MoveNext(CancellationToken cancellationToken)
    {
        if (_unchecked is not null)
        {
            throw new InvalidOperationException($"{row.Method} used an item without a check of the caller's access.");
        }
        var moved = inner.MoveNext(cancellationToken);
        if (!moved.IsCompletedSuccessfully)
        {
            return MoveAsync(moved);
        }
        Received(moved.Result);
        return moved;
    }

    public void Require(object item)
    {
        if (row.HasCollections && !ReferenceEquals(item, _unchecked))
        {
            throw new InvalidOperationException($"{row.Method} checked another item than the one that was read last.");
        }
        _unchecked = null;
        row.Require(_caller, item);
    }

    private async Task<bool> MoveAsync(Task<bool> moved)
    {
        var more = await moved;
        Received(more);
        return more;
    }

    private void Received(bool more)
    {
        // Health checks need no caller.
        if (!more || row.Access == Access.None)
        {
            return;
        }
        _caller = session?.Renew() ?? _caller;
        if (_caller.Access < row.Access)
        {
            // The stream as a whole, not its items.
            throw AccessFaults.AccessDenied(row.Access, _caller);
        }
        if (row.HasCollections)
        {
            _unchecked = inner.Current;
        }
    }
}
