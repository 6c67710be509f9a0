using Embeddings.V1;
using Google.Protobuf;
using Grpc.Core;

namespace Embeddings.Tooling.Items;

/// <summary>Reads image files to send. The server decides whether the content is an image.</summary>
internal static class ImageFile
{
    /// <summary>Default limit of the server for an encoded image, in bytes.</summary>
    public const int DefaultMaxBytes = 16 << 20;

    /// <summary>Reads the content of a file.</summary>
    /// <exception cref="ItemFault">The file cannot be read, or it is larger than <paramref name="maxBytes"/>.</exception>
    public static async Task<Image> ReadAsync(string path, int maxBytes, CancellationToken cancellationToken)
    {
        try
        {
            await using var file = new FileStream(
                path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0, FileOptions.SequentialScan);
            if (file.Length > maxBytes)
            {
                throw TooLarge($"{file.Length:N0} bytes", maxBytes);
            }
            // With one extra byte, the first read shows that the file ends. The length of a device or of a growing file
            // is unreliable.
            var buffer = new byte[(int)file.Length + 1];
            var length = 0;
            while (await file.ReadAsync(buffer.AsMemory(length), cancellationToken) is > 0 and var read)
            {
                length += read;
                if (length > maxBytes)
                {
                    throw TooLarge("more", maxBytes);
                }
                if (length == buffer.Length)
                {
                    Array.Resize(ref buffer, (int)Math.Min(buffer.Length * 2L, maxBytes + 1L));
                }
            }
            return new Image { Encoded = UnsafeByteOperations.UnsafeWrap(buffer.AsMemory(0, length)) };
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new ItemFault(StatusCode.NotFound, ItemFault.FileNotFound, $"File '{path}' does not exist.", "path");
        }
        catch (Exception e) when (
            e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            var why = Directory.Exists(path) ? "it is a directory." : e.Message;
            var message = $"File '{path}' cannot be read: {why}";
            throw new ItemFault(StatusCode.FailedPrecondition, ItemFault.FileUnreadable, message, "path");
        }
    }

    private static ItemFault TooLarge(string size, int maxBytes) => new(
        StatusCode.ResourceExhausted,
        ItemFault.ImageTooLarge,
        $"The file must have at most {maxBytes:N0} bytes; got {size}.",
        "path");
}
