using Embeddings.V1;
using Grpc.Core;

namespace Embeddings.Cli;

/// <summary>One item cannot be sent; the others can. The same shape as the server's own answer about an item.</summary>
internal sealed class ItemFault(StatusCode code, string reason, string message, string field = "") : Exception(message)
{
    public const string ManifestLineInvalid = "MANIFEST_LINE_INVALID";
    public const string FileNotFound = "FILE_NOT_FOUND";
    public const string FileUnreadable = "FILE_UNREADABLE";
    public const string ImageTooLarge = "IMAGE_TOO_LARGE";

    public ItemError Error { get; } = new() { Code = (int)code, Reason = reason, Message = message, Field = field };

    public static ItemFault Line(string message, string field = "") => new(StatusCode.InvalidArgument, ManifestLineInvalid, message, field);
}
