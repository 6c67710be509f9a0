using Embeddings.Server.Audit;
using Embeddings.Server.Security;
using Embeddings.Storage;
using Grpc.Core;
using Grpc.Core.Interceptors;

namespace Embeddings.Server.Grpc;

/// <summary>
/// Replaces aliases in requests by the names of their collections: the only place that resolves them. All names of a request are
/// resolved at one moment, so that a call sees one collection however long it lasts. Each item of a stream is a request of its own.
/// The caller must cover the alias, which has been checked by then, and its collection.
/// </summary>
internal sealed class AliasResolver(IVectorStore store)
{
    /// <summary>Resolves the aliases of a request.</summary>
    /// <exception cref="Primitives.Fault">The caller does not cover the collection of an alias, or the store does not answer.</exception>
    public ValueTask ResolveAsync(object request, Caller caller, ServerCallContext context)
    {
        var hasNames = new Names();
        CollectionFields.Change(request, hasNames, static (name, _, names) =>
        {
            names.Any |= name.Length > 0;
            return name;
        });
        if (!hasNames.Any)
        {
            return ValueTask.CompletedTask;
        }
        var aliases = store.AliasesAsync(context.CancellationToken);
        if (aliases.IsCompletedSuccessfully)
        {
            Resolve(request, aliases.Result, caller, context);
            return ValueTask.CompletedTask;
        }
        return ResolveLaterAsync(aliases, request, caller, context);
    }

    private static async ValueTask ResolveLaterAsync(
        ValueTask<IReadOnlyDictionary<string, string>> aliases, object request, Caller caller, ServerCallContext context) =>
        Resolve(request, await aliases, caller, context);

    private static void Resolve(
        object request, IReadOnlyDictionary<string, string> aliases, Caller caller, ServerCallContext context)
    {
        if (aliases.Count == 0)
        {
            return;
        }
        // Before any is replaced: the error must not name the collection to a caller that may not see it.
        CollectionFields.Change(request, (aliases, caller), static (name, _, all) =>
            all.aliases.TryGetValue(name, out var collection) && !all.caller.Covers(collection)
                ? throw AccessFaults.CollectionDenied(name, all.caller)
                : name);
        CollectionFields.Change(request, (aliases, audit: AuditCall.Of(context)), static (name, _, all) =>
        {
            if (!all.aliases.TryGetValue(name, out var collection))
            {
                return name;
            }
            all.audit?.AddCollection(collection);
            return collection;
        });
    }

    private sealed class Names
    {
        public bool Any { get; set; }
    }
}

/// <summary>
/// Resolves the aliases of calls with one request. It is behind the checks of access, which see the aliases. The items of streams are
/// resolved where they are read (<see cref="Streaming.StreamContext"/>).
/// </summary>
internal sealed class AliasInterceptor(AliasResolver aliases) : Interceptor
{
    public override async Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        await aliases.ResolveAsync(request, Caller.Of(context.GetHttpContext()), context);
        return await continuation(request, context);
    }

    public override async Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request,
        IServerStreamWriter<TResponse> responseStream,
        ServerCallContext context,
        ServerStreamingServerMethod<TRequest, TResponse> continuation)
    {
        await aliases.ResolveAsync(request, Caller.Of(context.GetHttpContext()), context);
        await continuation(request, responseStream, context);
    }
}

/// <summary>
/// Puts the names of default collections into requests that have none. The outermost interceptor but for that of items, which does it
/// for streams.
/// </summary>
internal sealed class DefaultsInterceptor(DefaultCollections defaults) : Interceptor
{
    public override Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        defaults.Fill(request);
        return continuation(request, context);
    }

    public override Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request,
        IServerStreamWriter<TResponse> responseStream,
        ServerCallContext context,
        ServerStreamingServerMethod<TRequest, TResponse> continuation)
    {
        defaults.Fill(request);
        return continuation(request, responseStream, context);
    }
}
