using Embeddings.Core.Faces;

namespace Embeddings.Core.Tests.Faces;

public sealed class TilePlanTests
{
    private const int Width = 320;
    private const int Height = 240;
    private const int MinFace = 16;

    [Theory]
    [InlineData(320, 240, 1)]
    [InlineData(640, 480, 1)]
    [InlineData(480, 640, 3)]
    [InlineData(1280, 720, 5)]
    [InlineData(1920, 1080, 10)]
    [InlineData(4000, 3000, 52)]
    [InlineData(10_000, 10_000, 430)]
    [InlineData(1, 1, 1)]
    public void Faces_of_40_pixels_take_few_tiles(int width, int height, int tiles) =>
        Assert.Equal(tiles, TilePlan.Tiles(TilePlan.Of(width, height, Width, Height, MinFace, 40)));

    [Fact]
    public void A_small_photo_is_enlarged_no_more_than_its_smallest_faces_need()
    {
        var level = Assert.Single(TilePlan.Of(100, 60, Width, Height, MinFace, 40));
        Assert.Equal((100, 60), (level.Width, level.Height));
        level = Assert.Single(TilePlan.Of(100, 60, Width, Height, MinFace, 10));
        Assert.Equal((160, 96), (level.Width, level.Height));
    }

    [Fact]
    public void Each_face_is_whole_and_large_enough_in_some_tile()
    {
        var random = new Random(19);
        for (var round = 0; round < 2_000; round++)
        {
            var (width, height) = (random.Next(50, 5_000), random.Next(50, 5_000));
            var (inputWidth, inputHeight) = random.Next(3) switch { 0 => (320, 240), 1 => (640, 640), _ => (128, 128) };
            var minFaceSize = random.Next(10, 200);
            var levels = TilePlan.Of(width, height, inputWidth, inputHeight, MinFace, minFaceSize);
            var largest = Math.Min(width, height / 1.6);
            if (largest < minFaceSize)
            {
                continue;
            }

            // A face whose height is 1.6 times its width, anywhere.
            var side = minFaceSize + (random.NextDouble() * random.NextDouble() * (largest - minFaceSize));
            var (x, y) = (random.NextDouble() * (width - side), random.NextDouble() * (height - (side * 1.6)));
            Assert.True(
                levels.Any(level => IsFound(level, width, height, inputWidth, inputHeight, x, y, side)),
                $"{width} x {height}, faces from {minFaceSize}: {side:F1} at {x:F1}, {y:F1} in {string.Join("; ", levels)}");
        }
    }

    [Fact]
    public void The_number_of_tiles_of_the_largest_photos_is_computed_without_making_them()
    {
        var levels = TilePlan.Of(65_535, 65_535, 640, 640, 4_096, 10);
        Assert.InRange(TilePlan.Tiles(levels), 1_000_000, long.MaxValue);
    }

    [Fact]
    public void Tiles_are_inside_their_level_and_cover_it()
    {
        var level = TilePlan.Of(4_000, 3_000, Width, Height, MinFace, 40)[0];
        Assert.Equal((1_600, 1_200), (level.Width, level.Height));
        Assert.Equal(0, level.Left(0, Width));
        Assert.Equal(level.Width, level.Left(level.Columns - 1, Width) + Width);
        Assert.Equal(0, level.Top(0, Height));
        Assert.Equal(level.Height, level.Top(level.Rows - 1, Height) + Height);
        for (var column = 1; column < level.Columns; column++)
        {
            Assert.InRange(level.Left(column, Width) - level.Left(column - 1, Width), 1, Width - 40);
        }
    }

    private static bool IsFound(
        TileLevel level, int width, int height, int inputWidth, int inputHeight, double x, double y, double side)
    {
        var (across, down) = ((double)level.Width / width, (double)level.Height / height);
        var (left, right, top, bottom) = (x * across, (x + side) * across, y * down, (y + (side * 1.6)) * down);
        // A tenth for what sides round to.
        if (right - left < MinFace * 0.9 || bottom - top > level.LongestFace)
        {
            return false;
        }
        var columns = Enumerable.Range(0, level.Columns).Select(column => level.Left(column, inputWidth));
        var rows = Enumerable.Range(0, level.Rows).Select(row => level.Top(row, inputHeight));
        return columns.Any(from => from <= left + 0.5 && right <= from + inputWidth + 0.5)
            && rows.Any(from => from <= top + 0.5 && bottom <= from + inputHeight + 0.5);
    }
}
