using Google.Protobuf;
using Grpc.Core;

namespace Embeddings.Client.Calls;

/// <summary>
/// Calls grpc.health.v1.Health/Check. The two small messages are encoded here to avoid another package dependency.
/// </summary>
internal static class HealthProbe
{
    private const int Serving = 1;
    private const uint StatusField = (1 << 3) | (uint)WireFormat.WireType.Varint;

    // An empty request checks the server as a whole.
    private static readonly Method<object, object> Check = new(
        MethodType.Unary,
        "grpc.health.v1.Health",
        "Check",
        Marshallers.Create<object>(_ => [], _ => new object()),
        Marshallers.Create<object>(_ => [], message => ReadStatus(message)));

    public static async Task<bool> IsServingAsync(CallInvoker invoker, DateTime due, CancellationToken cancellationToken)
    {
        using var call = invoker.AsyncUnaryCall(Check, null, new CallOptions(deadline: due, cancellationToken: cancellationToken), new object());
        return await call.ResponseAsync.ConfigureAwait(false) is Serving;
    }

    private static int ReadStatus(byte[] message)
    {
        var input = new CodedInputStream(message);
        var status = 0;
        for (var tag = input.ReadTag(); tag != 0; tag = input.ReadTag())
        {
            if (tag == StatusField)
            {
                status = input.ReadEnum();
            }
            else
            {
                input.SkipLastField();
            }
        }

        return status;
    }
}
