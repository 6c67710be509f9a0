using Google.Protobuf;
using Grpc.Core;
using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant.Wire;

/// <summary>Qdrant's method <c>Points/Upsert</c> with this folder's request.</summary>
internal static class UpsertMethod
{
    private static readonly Method<UpsertPoints, PointsOperationResponse> Upsert = new(
        MethodType.Unary,
        "qdrant.Points",
        "Upsert",
        Marshallers.Create<UpsertPoints>(Write, static _ => throw new NotSupportedException()),
        Marshallers.Create<PointsOperationResponse>(
            static (_, _) => throw new NotSupportedException(),
            static context => PointsOperationResponse.Parser.ParseFrom(context.PayloadAsReadOnlySequence())));

    public static AsyncUnaryCall<PointsOperationResponse> UpsertAsync(
        this CallInvoker calls, UpsertPoints request, CallOptions options) =>
        calls.AsyncUnaryCall(Upsert, null, options, request);

    private static void Write(UpsertPoints request, SerializationContext context)
    {
        context.SetPayloadLength(request.CalculateSize());
        request.WriteTo(context.GetBufferWriter());
        context.Complete();
    }
}
