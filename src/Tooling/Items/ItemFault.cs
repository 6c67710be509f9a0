using Embeddings.Client;
using Embeddings.V1;
using Grpc.Core;

namespace Embeddings.Tooling.Items;

/// <summary>
/// An error of one item that does not affect the others. It has the fields of an item error of the server.
/// </summary>
internal sealed class ItemFault(StatusCode code, string reason, string message, string field = "") : Exception(message)
{
    public const string LineInvalid = "ITEM_LIST_LINE_INVALID";
    public const string DuplicateItem = "ITEM_DUPLICATE";
    public const string FileNotFound = "FILE_NOT_FOUND";
    public const string FileUnreadable = "FILE_UNREADABLE";
    public const string ImageTooLarge = "IMAGE_TOO_LARGE";

    public ItemError Error { get; } = new() { Code = (int)code, Reason = reason, Message = message, Field = field };

    /// <summary>Creates the error of an invalid line of an item list.</summary>
    public static ItemFault Line(string message, string field = "") =>
        new(StatusCode.InvalidArgument, LineInvalid, message, field);
}

/// <summary>Names of the gRPC status codes as in the gRPC specification, for example INVALID_ARGUMENT for 3.</summary>
internal static class StatusName
{
    public static string Of(int code) => new EmbeddingsException((StatusCode)code, "", "").Reason;

    /// <summary>Returns the name and, if the server gave one, the reason.</summary>
    public static string WithReason(EmbeddingsException error)
    {
        var status = Of((int)error.Status);
        return error.Reason == status ? status : $"{status} {error.Reason}";
    }
}
