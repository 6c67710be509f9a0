using System.Numerics;
using Embeddings.Core.Models;

namespace Embeddings.Core.Faces;

/// <summary>A detector's guess of a face, in pixels of the photo.</summary>
/// <param name="Box">The box.</param>
/// <param name="Score">Confidence, 0 to 1.</param>
/// <param name="Weight">Sum of the scores of the guesses that it is the mean of.</param>
/// <param name="Landmarks">Landmarks, or null if the detector finds none.</param>
internal readonly record struct Candidate(FaceBox Box, float Score, float Weight, Landmarks? Landmarks);

/// <summary>A tile of a photo at some level.</summary>
/// <param name="Level">The level.</param>
/// <param name="X">Left edge, pixels of the level.</param>
/// <param name="Y">Top edge, pixels of the level.</param>
/// <param name="Width">Width of the photo, pixels.</param>
/// <param name="Height">Height of the photo, pixels.</param>
/// <param name="Input">The detector's input, whose size is the tile's.</param>
internal readonly record struct PhotoTile(TileLevel Level, int X, int Y, int Width, int Height, InputSpec Input)
{
    // Pixels of the level. A box this close to the edge of a tile may be a part of a face.
    private const float Margin = 2;

    /// <summary>
    /// Reads a detector's result: the candidates of faces that the tile shows completely, in pixels of the photo.
    /// </summary>
    /// <param name="values">5 + 2 x <paramref name="keypoints"/> numbers each, as <c>DetectorDecoder</c> describes.</param>
    /// <param name="keypoints">0 or 5.</param>
    /// <param name="found">The candidates are added here.</param>
    public void Read(ReadOnlySpan<float> values, int keypoints, List<Candidate> found)
    {
        var scale = new Vector2((float)Width / Level.Width, (float)Height / Level.Height);
        var corner = new Vector2(X, Y);
        var length = 5 + (2 * keypoints);
        for (; values.Length >= length; values = values[length..])
        {
            if (!IsWhole(values[0], values[1], values[2], values[3]))
            {
                continue;
            }
            var topLeft = Place(values, 0);
            var size = Place(values, 2) - topLeft;
            var landmarks = keypoints == 5
                ? new Landmarks(Place(values, 5), Place(values, 7), Place(values, 9), Place(values, 11), Place(values, 13))
                : null;
            found.Add(new(new(topLeft.X, topLeft.Y, size.X, size.Y), values[4], values[4], landmarks));
        }

        Vector2 Place(ReadOnlySpan<float> from, int at) => (corner + new Vector2(from[at], from[at + 1])) * scale;
    }

    // True if the box has a size of this level and does not reach an edge of the tile behind which the photo continues.
    private bool IsWhole(float left, float top, float right, float bottom) =>
        right > left
        && bottom > top
        && Math.Max(right - left, bottom - top) <= Math.Min(Level.LongestFace, 2 * Math.Max(Input.Width, Input.Height))
        && (X == 0 || left >= Margin)
        && (Y == 0 || top >= Margin)
        && (X + Input.Width >= Level.Width || right <= Input.Width - Margin)
        && (Y + Input.Height >= Level.Height || bottom <= Input.Height - Margin);
}

/// <summary>Turns a detector's many candidates into one per face.</summary>
internal static class Candidates
{
    /// <summary>Most candidates of a photo; the least certain of more are dropped.</summary>
    public const int Most = 4_000;

    // Share of a smaller box within a larger one from which it is a part of the same face.
    private const float Inside = 0.7f;

    // The smaller box is the face, and the larger is wrong, if it is more certain by this much.
    private const float Lead = 0.15f;

    /// <summary>
    /// Joins the candidates of the same face: each that overlaps a more certain one joins it. The result has the highest
    /// score, and the mean of the boxes and landmarks, weighted by their scores: neighbouring guesses differ by chance, and
    /// their mean is nearer to the face than the best of them (Bazarevsky et al., 2019, "BlazeFace", section 3.3).
    /// </summary>
    /// <param name="candidates">The candidates, in any order; sorted by this method.</param>
    /// <param name="overlap">Intersection over union above which two boxes are the same face.</param>
    public static List<Candidate> Join(List<Candidate> candidates, float overlap)
    {
        Trim(candidates);
        var groups = new List<Group>();
        foreach (var candidate in candidates)
        {
            var group = groups.Find(group => group.Best.Overlap(candidate.Box) > overlap);
            if (group is null)
            {
                groups.Add(group = new(candidate));
            }
            group.Add(candidate);
        }
        return [.. groups.Select(group => group.Mean)];
    }

    /// <summary>Sorts the candidates, the most certain first, and drops those after <see cref="Most"/>.</summary>
    public static void Trim(List<Candidate> candidates)
    {
        candidates.Sort(Order);
        if (candidates.Count > Most)
        {
            candidates.RemoveRange(Most, candidates.Count - Most);
        }
    }

    /// <summary>
    /// Drops boxes within larger ones: parts of a face that look like a face. If the smaller box is clearly more certain, the
    /// larger one is dropped instead.
    /// </summary>
    public static List<Candidate> DropParts(List<Candidate> candidates)
    {
        var kept = new List<Candidate>();
        foreach (var candidate in candidates.OrderByDescending(candidate => candidate.Box.Area).ThenBy(candidate => candidate, Ordering))
        {
            var larger = kept.FindIndex(other => other.Box.Common(candidate.Box) > Inside * candidate.Box.Area);
            if (larger < 0)
            {
                kept.Add(candidate);
            }
            else if (candidate.Score > kept[larger].Score + Lead)
            {
                kept.RemoveAt(larger);
                kept.Add(candidate);
            }
        }
        return kept;
    }

    private static readonly Comparer<Candidate> Ordering = Comparer<Candidate>.Create(Order);

    // The most certain first. Total, so that the result does not depend on the order in which tiles ran.
    private static int Order(Candidate a, Candidate b)
    {
        var order = b.Score.CompareTo(a.Score);
        order = order != 0 ? order : b.Weight.CompareTo(a.Weight);
        order = order != 0 ? order : b.Box.Area.CompareTo(a.Box.Area);
        order = order != 0 ? order : a.Box.X.CompareTo(b.Box.X);
        return order != 0 ? order : a.Box.Y.CompareTo(b.Box.Y);
    }

    private sealed class Group(Candidate best)
    {
        private readonly Vector2[]? _points = best.Landmarks is null ? null : new Vector2[5];
        private Vector4 _box;
        private float _weight;

        public FaceBox Best => best.Box;

        public Candidate Mean
        {
            get
            {
                var box = _box / _weight;
                var landmarks = _points is null
                    ? null
                    : new Landmarks(
                        _points[0] / _weight, _points[1] / _weight, _points[2] / _weight, _points[3] / _weight, _points[4] / _weight);
                return new(new(box.X, box.Y, box.Z, box.W), best.Score, _weight, landmarks);
            }
        }

        public void Add(in Candidate candidate)
        {
            var box = candidate.Box;
            _box += candidate.Weight * new Vector4(box.X, box.Y, box.Width, box.Height);
            _weight += candidate.Weight;
            if (_points is null || candidate.Landmarks is null)
            {
                return;
            }
            Span<Vector2> points = stackalloc Vector2[5];
            candidate.Landmarks.CopyTo(points);
            for (var i = 0; i < points.Length; i++)
            {
                _points[i] += candidate.Weight * points[i];
            }
        }
    }
}
