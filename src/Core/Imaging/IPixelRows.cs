namespace Embeddings.Core.Imaging;

/// <summary>A picture that is read from top to bottom: eight-bit pixels row by row without gaps.</summary>
internal interface IPixelRows
{
    /// <summary>Pixels.</summary>
    int Width { get; }

    /// <summary>Pixels.</summary>
    int Height { get; }

    /// <summary>1 or 3.</summary>
    int Channels { get; }

    /// <summary>
    /// <paramref name="count"/> rows from <paramref name="first"/> on, which never goes back: rows above it are gone. Valid until the next call.
    /// </summary>
    ReadOnlySpan<byte> Rows(int first, int count);
}
