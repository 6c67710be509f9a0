namespace Embeddings.Core.Faces;

/// <summary>A size at which a photo is searched, and its tiles: the same number in each row, evenly spread.</summary>
/// <param name="Width">Width of the photo at this level, pixels.</param>
/// <param name="Height">Height of the photo at this level, pixels.</param>
/// <param name="Columns">Tiles in a row.</param>
/// <param name="Rows">Tiles in a column.</param>
/// <param name="LongestFace">
/// Longest side of the boxes that this level answers for, in its pixels. Neighbouring tiles overlap by almost as much, so that
/// each face is whole in one of them; larger ones are left to the next level. Infinite at the level that is one tile.
/// </param>
internal sealed record TileLevel(int Width, int Height, int Columns, int Rows, float LongestFace)
{
    public long Tiles => (long)Columns * Rows;

    /// <summary>Left edge of the tiles in a column, for tiles of this width.</summary>
    public int Left(int column, int tileWidth) => Offset(column, Columns, Width - tileWidth);

    /// <summary>Top edge of the tiles in a row, for tiles of this height.</summary>
    public int Top(int row, int tileHeight) => Offset(row, Rows, Height - tileHeight);

    private static int Offset(int index, int count, int space) => count == 1 ? 0 : (int)((long)index * space / (count - 1));
}

/// <summary>
/// Chooses the sizes at which a photo is searched. A detector finds faces from a smallest side of some pixels on, up to its
/// whole input. The coarsest level is the whole photo in one tile; the finest shows the smallest face of the search with the
/// detector's smallest side; levels between them have a common ratio, as many as make the fewest tiles.
/// </summary>
internal static class TilePlan
{
    // Longer side over shorter side of a face's box. Detectors' boxes have 1.2 to 1.7, and 1.9 at the edge of a photo.
    private const float Elongation = 1.6f;

    // A box may be this much longer than the face of which its level is sure.
    private const float Tolerance = 1.25f;

    private const int MostLevels = 10;

    /// <summary>The levels, finest first.</summary>
    /// <param name="width">Width of the photo, pixels.</param>
    /// <param name="height">Height of the photo, pixels.</param>
    /// <param name="inputWidth">Width of the detector's input, pixels.</param>
    /// <param name="inputHeight">Height of the detector's input, pixels.</param>
    /// <param name="minFace">Shorter side of the smallest face that the detector finds, pixels of its input.</param>
    /// <param name="minFaceSize">Shorter side of the smallest face to find, pixels of the photo.</param>
    public static IReadOnlyList<TileLevel> Of(int width, int height, int inputWidth, int inputHeight, int minFace, int minFaceSize)
    {
        var finest = (double)minFace / minFaceSize;
        var fitting = Math.Min((double)inputWidth / width, (double)inputHeight / height);

        // A small photo is not enlarged more than its smallest faces need.
        var coarsest = Math.Min(fitting, Math.Max(1, finest));
        if (finest <= coarsest * 1.0001)
        {
            return [Whole(width, height, coarsest)];
        }
        IReadOnlyList<TileLevel>? best = null;
        var fewest = long.MaxValue;
        for (var count = 1; count <= MostLevels; count++)
        {
            var ratio = Math.Pow(finest / coarsest, 1.0 / count);
            var longest = (int)Math.Ceiling(ratio * Elongation * minFace);
            if (longest > Math.Min(inputWidth, inputHeight) / 2)
            {
                continue;
            }
            var levels = new List<TileLevel>();
            for (var i = 0; i < count; i++)
            {
                levels.Add(Tiled(width, height, finest / Math.Pow(ratio, i), inputWidth, inputHeight, longest));
            }
            levels.Add(Whole(width, height, coarsest));
            var tiles = Tiles(levels);
            if (tiles < fewest)
            {
                (best, fewest) = (levels, tiles);
            }
        }

        // Without overlap of half a tile, if the detector's smallest face is almost as large as its input.
        return best ??
        [
            Tiled(width, height, finest, inputWidth, inputHeight, Math.Min(inputWidth, inputHeight) / 2),
            Whole(width, height, coarsest),
        ];
    }

    /// <summary>Number of tiles of all levels.</summary>
    public static long Tiles(IReadOnlyList<TileLevel> levels) => levels.Sum(level => level.Tiles);

    private static TileLevel Whole(int width, int height, double scale) =>
        new(Scaled(width, scale), Scaled(height, scale), 1, 1, float.PositiveInfinity);

    private static TileLevel Tiled(int width, int height, double scale, int inputWidth, int inputHeight, int overlap)
    {
        var (levelWidth, levelHeight) = (Scaled(width, scale), Scaled(height, scale));
        return new(
            levelWidth,
            levelHeight,
            Count(levelWidth, inputWidth, overlap),
            Count(levelHeight, inputHeight, overlap),
            overlap * Tolerance);
    }

    private static int Scaled(int side, double scale) => Math.Max(1, (int)Math.Round(side * scale));

    // As few as overlap by at least `overlap`.
    private static int Count(int length, int tile, int overlap) =>
        length <= tile ? 1 : ((length - overlap - 1) / (tile - overlap)) + 1;
}
