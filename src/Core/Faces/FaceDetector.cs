using Embeddings.Core.Imaging;
using Embeddings.Core.Models;

namespace Embeddings.Core.Faces;

/// <summary>Finds the faces of a photo in memory, small ones in large photos too: a pyramid of tiles (<see cref="TilePlan"/>).</summary>
/// <param name="run">The detector.</param>
/// <param name="clock">Counts the time of the photo.</param>
/// <param name="cancellationToken">Ends the search.</param>
internal sealed class FaceDetector(ModelRun run, PhotoClock clock, CancellationToken cancellationToken)
{
    // Score from which a candidate is a face without a second look.
    private const float Certain = 0.95f;

    // Share of the input's shorter side that a candidate fills in the second look. Of 0.2 to 0.67, the largest tells hands and
    // clothes from faces best: 0.04 and 0.06 against 1.00 for all faces of 29 photos.
    private const float Filling = 2f / 3;

    // Intersection over union from which the box of the second look is that of the first.
    private const float SameBox = 0.4f;

    private readonly Lock _lock = new();
    private readonly List<Candidate> _found = [];
    private readonly DetectorSpec _spec = run.Manifest.Detector!;

    /// <summary>The tiles of a photo.</summary>
    public static IReadOnlyList<TileLevel> Plan(ModelManifest detector, int width, int height, int minFaceSize) => TilePlan.Of(
        width, height, detector.Input.Width, detector.Input.Height, detector.Detector!.MinFace, minFaceSize);

    /// <summary>Memory of the levels of a photo that are in memory at a time, bytes.</summary>
    public static long Memory(IReadOnlyList<TileLevel> levels, int width, int height) => levels
        .Where(level => level.Tiles > 1 && level.Width < width && level.Height < height)
        .Take(2)
        .Sum(level => 3L * level.Width * level.Height);

    /// <summary>
    /// Finds the faces: one candidate for each, from the detector's lowest score on, in pixels of the photo, in no order.
    /// </summary>
    public async Task<List<Candidate>> FindAsync(Photo photo, IReadOnlyList<TileLevel> levels)
    {
        Photo? level = null;
        try
        {
            foreach (var size in levels)
            {
                // Each level is made from the one before it, which has fewer pixels to read.
                if (size.Tiles > 1 && size.Width < photo.Width && size.Height < photo.Height)
                {
                    var source = level ?? photo;
                    var resized = await LongWork.RunAsync(
                        source.Width * (long)source.Height,
                        clock,
                        () => source.Resize(size.Width, size.Height, run.Manifest.Input.Interpolation));
                    level?.Dispose();
                    level = resized;
                }
                await AddAsync(photo, level ?? photo, size);
            }
            await run.CompleteAsync();
        }
        finally
        {
            level?.Dispose();
        }
        cancellationToken.ThrowIfCancellationRequested();
        return Candidates.DropParts(Candidates.Join(_found, _spec.Nms));
    }

    /// <summary>
    /// Looks again at candidates that are not certain, each enlarged or reduced so that it fills the detector's input: what
    /// resembles a face at one size rarely does at another. The score becomes the mean of both looks.
    /// </summary>
    public async Task<IReadOnlyList<Candidate>> ConfirmAsync(Photo photo, IReadOnlyList<Candidate> candidates)
    {
        var input = run.Manifest.Input;
        Candidate[] result = [.. candidates];
        for (var i = 0; i < result.Length; i++)
        {
            var (index, candidate) = (i, result[i]);
            if (candidate.Score >= Certain)
            {
                continue;
            }
            var part = Part(candidate.Box, input);
            await run.AddAsync(
                FaceCrops.Draw,
                (photo, part, input),
                photo.Format,
                values => result[index] = candidate with { Score = (candidate.Score + Score(values, candidate.Box, part)) / 2 });
        }
        await run.CompleteAsync();
        return result;
    }

    private async Task AddAsync(Photo photo, Photo source, TileLevel size)
    {
        var input = run.Manifest.Input;
        for (var row = 0; row < size.Rows; row++)
        {
            for (var column = 0; column < size.Columns; column++)
            {
                var (x, y) = (size.Left(column, input.Width), size.Top(row, input.Height));
                var tile = new PhotoTile(size, x, y, photo.Width, photo.Height, input);
                await run.AddAsync(DrawTile, (source, tile), photo.Format, values => Read(tile, values));
            }
        }
    }

    private static void DrawTile((Photo Source, PhotoTile Tile) item, Span<byte> pixels)
    {
        var (source, tile) = item;
        var level = tile.Level;
        if (source.Width != level.Width || source.Height != level.Height)
        {
            var placement = new Placement(level.Width, level.Height, -tile.X, -tile.Y);
            var whole = SourceBox.Whole(source.Width, source.Height);
            Resampler.Draw(source.View, whole, placement, tile.Input.Interpolation, pixels, tile.Input.Width, tile.Input.Height);
            return;
        }
        var width = Math.Min(tile.Input.Width, level.Width - tile.X) * source.Channels;
        var height = Math.Min(tile.Input.Height, level.Height - tile.Y);
        var stride = tile.Input.Width * source.Channels;
        if (width < stride || height < tile.Input.Height)
        {
            pixels.Clear();
        }
        var from = source.Pixels;
        for (var y = 0; y < height; y++)
        {
            from.Slice((((tile.Y + y) * level.Width) + tile.X) * source.Channels, width).CopyTo(pixels[(y * stride)..]);
        }
    }

    private static SourceBox Part(FaceBox box, InputSpec input)
    {
        var scale = Filling * Math.Min(input.Width, input.Height) / box.LongerSide;
        var (width, height) = (input.Width / scale, input.Height / scale);
        return new(box.X + ((box.Width - width) / 2), box.Y + ((box.Height - height) / 2), width, height);
    }

    // The highest score of a box that is this one.
    private float Score(ReadOnlySpan<float> values, FaceBox box, SourceBox part)
    {
        var input = run.Manifest.Input;
        var (x, y) = (part.Width / input.Width, part.Height / input.Height);
        var length = 5 + (2 * _spec.Keypoints);
        var highest = 0f;
        for (; values.Length >= length; values = values[length..])
        {
            var other = new FaceBox(
                (float)(part.Left + (values[0] * x)),
                (float)(part.Top + (values[1] * y)),
                (float)((values[2] - values[0]) * x),
                (float)((values[3] - values[1]) * y));
            if (values[4] > highest && other.Overlap(box) > SameBox)
            {
                highest = values[4];
            }
        }
        return highest;
    }

    // On the thread of the result: the candidates of each tile are joined while other tiles run, and their number is bounded
    // whatever the photo shows.
    private void Read(PhotoTile tile, float[] values)
    {
        var candidates = new List<Candidate>();
        tile.Read(values, _spec.Keypoints, candidates);
        candidates = Candidates.Join(candidates, _spec.Nms);
        lock (_lock)
        {
            _found.AddRange(candidates);
            if (_found.Count > 2 * Candidates.Most)
            {
                Candidates.Trim(_found);
            }
        }
    }
}

/// <summary>Work that takes so long that it gets a thread of its own.</summary>
internal static class LongWork
{
    // Pixels of a JPEG. The pool starts with one thread per processor, which so much work would hold while other calls wait.
    private const long Limit = 4_000_000;

    /// <summary>Does work of some pixels, and counts its time.</summary>
    public static async ValueTask<T> RunAsync<T>(long pixels, PhotoClock clock, Func<T> work)
    {
        var began = clock.Start();
        try
        {
            return pixels < Limit
                ? work()
                : await Task.Factory.StartNew(work, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        }
        finally
        {
            clock.Preprocess(began);
        }
    }
}
