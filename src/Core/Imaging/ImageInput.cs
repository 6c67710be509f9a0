namespace Embeddings.Core.Imaging;

/// <summary>A picture as it came in: an encoded file, or raw pixels with their size and layout.</summary>
/// <param name="Data">The file's bytes, or the pixels row by row; not changed by anyone while it is in use.</param>
/// <param name="Format">How the pixels lie; <see cref="PixelFormat.Encoded"/> for a file.</param>
/// <param name="Width">Width in pixels; 0 for a file.</param>
/// <param name="Height">Height in pixels; 0 for a file.</param>
/// <param name="Landmarks">The face's five points, where it is to be aligned.</param>
internal readonly record struct ImageInput(ReadOnlyMemory<byte> Data, PixelFormat Format, int Width, int Height, Landmarks? Landmarks);
