using Embeddings.Storage;
using Grpc.Core;

namespace Embeddings.Server.Grpc;

/// <summary>Leases of the response budget for calls.</summary>
internal static class ResponseLeases
{
    /// <summary>Starts the response of a call; its bytes are returned to the budget once it has been sent.</summary>
    public static ResponseLease Lease(this ResponseBudget budget, ServerCallContext context)
    {
        var lease = budget.Lease();
        context.GetHttpContext().Response.RegisterForDispose(lease);
        return lease;
    }
}
