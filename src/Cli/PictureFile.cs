using Embeddings.V1;
using Google.Protobuf;
using Grpc.Core;

namespace Embeddings.Cli;

/// <summary>Reads picture files to send. Whether they are pictures is the server's to say.</summary>
internal static class PictureFile
{
    /// <summary>The server's default limit of an encoded picture, bytes.</summary>
    public const int DefaultMaxBytes = 16 << 20;

    /// <summary>The file's bytes. <see cref="ItemFault"/> where it cannot be read or is larger than <paramref name="maxBytes"/>.</summary>
    public static async Task<ByteString> ReadAsync(string path, int maxBytes, CancellationToken cancellationToken)
    {
        try
        {
            await using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0, FileOptions.SequentialScan);
            if (file.Length > maxBytes)
            {
                throw TooLarge($"has {file.Length:N0} bytes", maxBytes);
            }
            // One byte more than the length tells at the first read that the file ends; a device or a file that grows has no length to trust.
            var buffer = new byte[(int)file.Length + 1];
            var length = 0;
            while (await file.ReadAsync(buffer.AsMemory(length), cancellationToken) is > 0 and var read)
            {
                length += read;
                if (length > maxBytes)
                {
                    throw TooLarge("has more", maxBytes);
                }
                if (length == buffer.Length)
                {
                    Array.Resize(ref buffer, (int)Math.Min(buffer.Length * 2L, maxBytes + 1L));
                }
            }
            return UnsafeByteOperations.UnsafeWrap(buffer.AsMemory(0, length));
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new ItemFault(StatusCode.NotFound, ItemFault.FileNotFound, $"there is no file '{path}'", "path");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            var why = Directory.Exists(path) ? "it is a folder" : e.Message;
            throw new ItemFault(StatusCode.FailedPrecondition, ItemFault.FileUnreadable, $"cannot read '{path}': {why}", "path");
        }
    }

    public static Image ToImage(ByteString bytes) => new() { Encoded = bytes };

    private static ItemFault TooLarge(string what, int maxBytes) =>
        new(StatusCode.ResourceExhausted, ItemFault.ImageTooLarge, $"the file {what}, the limit is {maxBytes:N0} bytes", "path");
}
