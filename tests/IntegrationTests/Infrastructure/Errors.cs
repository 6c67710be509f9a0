using Google.Protobuf;
using Google.Protobuf.Reflection;
using Google.Rpc;
using Grpc.Core;

namespace Embeddings.IntegrationTests.Infrastructure;

/// <summary>Status of a failed call, and the google.rpc details in its trailers.</summary>
internal static class Errors
{
    // By number: in early releases of the package, this field is named Type.
    private static readonly FieldDescriptor ReasonField = ErrorInfo.Descriptor.FindFieldByNumber(1);

    /// <summary>Asserts that the call fails with this status, reason, and field.</summary>
    public static Task<RpcException> FailsAsync<T>(this AsyncUnaryCall<T> call, StatusCode code, string reason, string? field = null) =>
        FailsAsync(call.Bound, code, reason, field);

    /// <summary>Asserts that the work fails with this status, reason, and field.</summary>
    public static async Task<RpcException> FailsAsync<T>(Func<Task<T>> work, StatusCode code, string reason, string? field = null)
    {
        var error = await Assert.ThrowsAsync<RpcException>(work);
        Assert.True(code == error.StatusCode, $"{error.Status}");
        Assert.Equal(reason, error.Reason());
        Assert.DoesNotContain("   at ", error.Status.Detail);
        if (code == StatusCode.InvalidArgument)
        {
            Assert.NotNull(error.Detail<BadRequest>());
        }
        if (field is not null)
        {
            Assert.Equal(field, Assert.Single(error.Detail<BadRequest>()!.FieldViolations).Field);
        }
        return error;
    }

    public static string Reason(this RpcException error) =>
        error.Detail<ErrorInfo>() is { } info ? (string)ReasonField.Accessor.GetValue(info) : "";

    /// <summary>Returns the detail of this type, or null.</summary>
    public static T? Detail<T>(this RpcException error)
        where T : class, IMessage<T>, new()
    {
        var trailer = error.Trailers.FirstOrDefault(entry => entry.Key == "grpc-status-details-bin");
        return trailer is null
            ? null
            : Google.Rpc.Status.Parser.ParseFrom(trailer.ValueBytes).Details.FirstOrDefault(detail => detail.Is(new T().Descriptor))?.Unpack<T>();
    }
}
