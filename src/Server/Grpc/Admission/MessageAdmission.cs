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
        Caller.Current = context.Connection.Id;
        var rule = rules.Of(context.Request.Path);
        var admitted = new AdmittedBody(body.Reader, rule, memory, context.Connection.Id, context.RequestAborted);
        context.Features.Set<IRequestBodyPipeFeature>(admitted);
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
