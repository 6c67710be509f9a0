using Embeddings.Core.Memory;
using Microsoft.AspNetCore.Http.Features;

namespace Embeddings.Server.Grpc.Admission;

/// <summary>
/// Admits the messages of each call to the memory budget while they are received, before gRPC parses them. Also sets the caller
/// of the call.
/// </summary>
internal sealed class MessageAdmission(RequestDelegate next, MessageRules rules, MemoryBudget memory)
{
    public Task InvokeAsync(HttpContext context) =>
        context.Request.ContentType?.StartsWith("application/grpc", StringComparison.Ordinal) == true
            && context.Features.Get<IRequestBodyPipeFeature>() is { } body
            ? AdmitAsync(context, body)
            : next(context);

    private async Task AdmitAsync(HttpContext context, IRequestBodyPipeFeature body)
    {
        // All connections of a caller share its turns. Callers without a name are told apart by their connections.
        var named = Security.Caller.Of(context);
        object owner = ReferenceEquals(named, Security.Caller.Anonymous) ? context.Connection.Id : named.Name;
        Caller.Current = owner;
        var rule = rules.Of(context.Request.Path);
        var admitted = new AdmittedBody(body.Reader, rule, memory, owner, context.RequestAborted);
        context.Features.Set<IRequestBodyPipeFeature>(admitted);
        context.Features.Set<IMessageCharges>(admitted);
        try
        {
            await next(context);
        }
        finally
        {
            admitted.Release();
        }
    }
}
