using Embeddings.Core;
using Embeddings.Primitives;
using Embeddings.Server.Grpc.Errors;
using Embeddings.Server.Hosting;
using Grpc.AspNetCore.Server;
using Grpc.Core;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Authorization.Policy;
using Microsoft.Net.Http.Headers;

namespace Embeddings.Server.Security;

/// <summary>
/// The policy of every endpoint that does not say otherwise, so that none can be forgotten: the caller has the access that
/// the table gives for the method. It is checked before the body is read.
/// </summary>
internal sealed class AccessPolicy : AuthorizationHandler<AccessPolicy>, IAuthorizationRequirement
{
    // Grpc.AspNetCore answers calls of methods that do not exist by endpoints of this name.
    private const string Unimplemented = "gRPC - Unimplemented";

    public static AuthorizationPolicy Create() =>
        new AuthorizationPolicyBuilder().RequireAuthenticatedUser().AddRequirements(new AccessPolicy()).Build();

    /// <summary>Returns the access that a request needs.</summary>
    public static Access NeededBy(Endpoint? endpoint) => endpoint switch
    {
        null => Access.Read,
        _ when MethodOf(endpoint) is { } method => AccessTable.Find(method)?.Access ?? Access.Manage,
        { DisplayName: { } name } when name.StartsWith(Unimplemented, StringComparison.Ordinal) => Access.Read,
        _ => Access.Manage,
    };

    /// <summary>Returns the gRPC method of an endpoint, or null.</summary>
    public static string? MethodOf(Endpoint? endpoint) => endpoint?.Metadata.GetMetadata<GrpcMethodMetadata>()?.Method.FullName;

    protected override Task HandleRequirementAsync(AuthorizationHandlerContext context, AccessPolicy requirement)
    {
        if (context.Resource is HttpContext http && Caller.Of(http).Access >= NeededBy(http.GetEndpoint()))
        {
            context.Succeed(requirement);
        }
        return Task.CompletedTask;
    }
}

/// <summary>Answers calls that the policy refuses with a status of the contract, in the headers.</summary>
internal sealed class AccessRefusals(EmbeddingMetrics metrics, ILogger<AccessRefusals> log) : IAuthorizationMiddlewareResultHandler
{
    public Task HandleAsync(
        RequestDelegate next, HttpContext context, AuthorizationPolicy policy, PolicyAuthorizationResult authorizeResult)
    {
        if (authorizeResult.Succeeded)
        {
            return next(context);
        }
        var endpoint = context.GetEndpoint();
        var fault = authorizeResult.Challenged
            ? context.Features.Get<Fault>() ?? AccessFaults.KeyMissing()
            : AccessFaults.AccessDenied(AccessPolicy.NeededBy(endpoint), Caller.Of(context));
        var metadata = endpoint?.Metadata.GetMetadata<GrpcMethodMetadata>();
        var method = metadata?.Method.FullName ?? "(unknown)";
        if (metadata is not null)
        {
            Count(metadata.Method.Type, method, fault.Reason);
        }
        ServerLog.FaultAnswered(log, method, fault.Reason, fault.Message);
        return context.Request.ContentType?.StartsWith("application/grpc", StringComparison.Ordinal) == true
            ? WriteGrpc(context, fault)
            : WriteHttpAsync(context, fault);
    }

    // As the interceptor counts those that reach a method.
    private void Count(MethodType type, string method, string reason)
    {
        if (type == MethodType.Unary)
        {
            metrics.ItemAnswered(method, reason);
        }
        else
        {
            metrics.StreamEnded(method, reason);
        }
    }

    private static Task WriteGrpc(HttpContext context, Fault fault)
    {
        context.Response.ContentType = "application/grpc";
        FaultStatus.Write(fault, context.Response.Headers);
        return Task.CompletedTask;
    }

    private static Task WriteHttpAsync(HttpContext context, Fault fault)
    {
        context.Response.StatusCode = fault.Kind switch
        {
            FaultKind.Unauthenticated => StatusCodes.Status401Unauthorized,
            FaultKind.Unavailable => StatusCodes.Status503ServiceUnavailable,
            _ => StatusCodes.Status403Forbidden,
        };
        if (fault.Kind == FaultKind.Unauthenticated)
        {
            context.Response.Headers[HeaderNames.WWWAuthenticate] = "Bearer";
        }
        context.Response.ContentType = "text/plain";
        return context.Response.WriteAsync($"{fault.Message}\n");
    }
}
