using Embeddings.Client.Calls;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Grpc.Core;
using Status = Grpc.Core.Status;

namespace Embeddings.Client.Tests.Calls;

public sealed class ErrorDetailsTests
{
    [Fact]
    public void ReasonFieldAndRetryDelayAreRead()
    {
        var info = new ErrorInfo();
        ErrorInfo.Descriptor.FindFieldByNumber(1).Accessor.SetValue(info, "IMAGE_MALFORMED");
        var details = new Google.Rpc.Status
        {
            Details =
            {
                Any.Pack(new Help()),
                Any.Pack(info),
                Any.Pack(new BadRequest { FieldViolations = { new BadRequest.Types.FieldViolation { Field = "image.encoded" } } }),
                Any.Pack(new RetryInfo { RetryDelay = new Duration { Seconds = 1, Nanos = 500_000_000 } }),
            },
        };

        var error = ErrorDetails.ToException(Failed(StatusCode.InvalidArgument, "Not a JPEG.", details.ToByteArray()));

        Assert.Equal(
            (StatusCode.InvalidArgument, "IMAGE_MALFORMED", "image.encoded"), (error.Status, error.Reason, error.Field));
        Assert.Equal(("Not a JPEG.", TimeSpan.FromSeconds(1.5)), (error.Message, error.RetryAfter!.Value));
    }

    [Fact]
    public void WithoutDetailsTheReasonIsTheStatusCode()
    {
        var error = ErrorDetails.ToException(new RpcException(new Status(StatusCode.NotFound, "")));

        Assert.Equal(
            ("NOT_FOUND", "NOT_FOUND", "", (TimeSpan?)null), (error.Reason, error.Message, error.Field, error.RetryAfter));
    }

    [Theory]
    [InlineData(StatusCode.OK, "OK")]
    [InlineData(StatusCode.Cancelled, "CANCELLED")]
    [InlineData(StatusCode.FailedPrecondition, "FAILED_PRECONDITION")]
    [InlineData((StatusCode)99, "STATUS_99")]
    public void StatusCodesAreNamedAsInTheSpecification(StatusCode status, string name) =>
        Assert.Equal(name, ErrorDetails.StatusName(status));

    [Fact]
    public void MalformedDetailsDoNotHideTheError()
    {
        var random = new Random(7);
        for (var i = 0; i < 2000; i++)
        {
            var bytes = new byte[random.Next(0, 64)];
            random.NextBytes(bytes);

            var error = ErrorDetails.ToException(Failed(StatusCode.Internal, "bug", bytes));

            Assert.Equal((StatusCode.Internal, "bug"), (error.Status, error.Message));
        }
    }

    [Theory]
    [InlineData(-1, 0)]
    [InlineData(long.MaxValue, 0)]
    [InlineData(1, -5)]
    [InlineData(0, int.MaxValue)]
    public void RetryDelaysOutOfRangeAreIgnored(long seconds, int nanos)
    {
        var retry = new RetryInfo { RetryDelay = new Duration { Seconds = seconds, Nanos = nanos } };
        var details = new Google.Rpc.Status { Details = { Any.Pack(retry) } };

        Assert.Null(ErrorDetails.RetryAfter(Failed(StatusCode.ResourceExhausted, "full", details.ToByteArray())));
    }

    private static RpcException Failed(StatusCode status, string message, byte[] details) =>
        new(new Status(status, message), new Metadata { { "grpc-status-details-bin", details } });
}
