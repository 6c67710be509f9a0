using System.Text;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Grpc.Core;

namespace Embeddings.Client.Calls;

/// <summary>Reads google.rpc.Status out of a failed call's trailers (BadRequest, ErrorInfo, RetryInfo).</summary>
internal static class ErrorDetails
{
    private const string Trailer = "grpc-status-details-bin";

    // By number: older versions of Google.Api.CommonProtos call the field `type`, newer ones `reason`.
    private static readonly FieldDescriptor Reason = ErrorInfo.Descriptor.FindFieldByNumber(1);

    public static EmbeddingsException ToException(RpcException error)
    {
        var details = Read(error.Trailers);
        var reason = Find<ErrorInfo>(details) is { } info ? (string)Reason.Accessor.GetValue(info) : "";
        var field = Find<BadRequest>(details)?.FieldViolations.FirstOrDefault()?.Field ?? "";
        return new EmbeddingsException(error.StatusCode, reason, Message(error), field, RetryAfter(details), error);
    }

    /// <summary>What happened, for a person; for a connection that cannot be made also why.</summary>
    public static string Message(RpcException error)
    {
        var detail = error.Status.Detail.Length > 0 ? error.Status.Detail : Word(error.StatusCode);
        var cause = error.StatusCode == StatusCode.Unavailable ? error.Status.DebugException?.GetBaseException().Message : null;
        return cause is null || detail.Contains(cause, StringComparison.Ordinal) ? detail : $"{detail.TrimEnd('.')}: {cause}";
    }

    /// <summary>When the server asks to come back; null where it does not.</summary>
    public static TimeSpan? RetryAfter(RpcException error) => RetryAfter(Read(error.Trailers));

    /// <summary>A status code as the gRPC specification writes it: <c>InvalidArgument</c> is <c>INVALID_ARGUMENT</c>.</summary>
    public static string Word(StatusCode status)
    {
        var name = status == StatusCode.OK ? "Ok" : status.ToString();
        var word = new StringBuilder(name.Length + 4);
        foreach (var letter in name)
        {
            if (char.IsAsciiLetterUpper(letter) && word.Length > 0)
            {
                word.Append('_');
            }

            word.Append(char.ToUpperInvariant(letter));
        }

        return word.ToString();
    }

    private static TimeSpan? RetryAfter(Google.Rpc.Status? details)
    {
        // A peer's numbers: out of range they mean nothing.
        var delay = Find<RetryInfo>(details)?.RetryDelay;
        return delay is { Seconds: >= 0 and <= 86_400, Nanos: >= 0 and < 1_000_000_000 }
            ? TimeSpan.FromTicks((delay.Seconds * TimeSpan.TicksPerSecond) + (delay.Nanos / Duration.NanosecondsPerTick))
            : null;
    }

    private static Google.Rpc.Status? Read(Metadata trailers)
    {
        var bytes = trailers.FirstOrDefault(entry => entry.Key == Trailer && entry.IsBinary)?.ValueBytes;
        return bytes is null ? null : Parse(Google.Rpc.Status.Parser, ByteString.CopyFrom(bytes));
    }

    private static T? Find<T>(Google.Rpc.Status? details)
        where T : class, IMessage<T>, new()
    {
        var detail = details?.Details.FirstOrDefault(any => any.Is(new T().Descriptor));
        return detail is null ? null : Parse(new MessageParser<T>(() => new T()), detail.Value);
    }

    // Broken details never hide the error they come with.
    private static T? Parse<T>(MessageParser<T> parser, ByteString bytes)
        where T : class, IMessage<T>
    {
        try
        {
            return parser.ParseFrom(bytes);
        }
        catch (InvalidProtocolBufferException)
        {
            return null;
        }
    }
}
