using System.Numerics;
using Embeddings.Core.Faces;
using Embeddings.Core.Models;

namespace Embeddings.Core.Tests.Faces;

public sealed class CandidatesTests
{
    private static readonly InputSpec Input = new() { Width = 320, Height = 240 };

    [Fact]
    public void Candidates_of_a_face_become_their_mean_with_the_highest_score()
    {
        var face = Assert.Single(Candidates.Join([Of(0.6f, 104, 100), Of(0.9f, 100, 100), Of(0.3f, 90, 100)], 0.4f));
        Assert.Equal(0.9f, face.Score);
        Assert.Equal(1.8f, face.Weight, 1e-6f);
        Assert.Equal(((0.6f * 104) + (0.9f * 100) + (0.3f * 90)) / 1.8f, face.Box.X, 1e-4f);
        Assert.Equal(new(face.Box.X, 100, 40, 50), face.Box);
    }

    [Fact]
    public void Landmarks_are_their_mean_too()
    {
        var face = Assert.Single(Candidates.Join([Of(0.9f, 100, 100, Points(10)), Of(0.3f, 100, 100, Points(14))], 0.4f));
        Assert.Equal(11, face.Landmarks!.Nose.X, 1e-4f);
        Assert.Equal(11, face.Landmarks.RightMouthCorner.Y, 1e-4f);
    }

    [Fact]
    public void Faces_that_overlap_little_stay_apart()
    {
        Assert.Equal(2, Candidates.Join([Of(0.9f, 100, 100), Of(0.8f, 125, 100)], 0.4f).Count);
        Assert.Equal(2, Candidates.DropParts([Of(0.9f, 100, 100), Of(0.8f, 125, 100)]).Count);
    }

    [Fact]
    public void The_result_does_not_depend_on_the_order_of_the_tiles()
    {
        var random = new Random(4);
        var candidates = Enumerable.Range(0, 500)
            .Select(_ => Of((random.Next(8) + 1) / 8f, random.Next(20) * 20, random.Next(20) * 20)).ToList();
        var expected = Candidates.DropParts(Candidates.Join([.. candidates], 0.4f));
        for (var round = 0; round < 10; round++)
        {
            random.Shuffle(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(candidates));
            Assert.Equal(expected, Candidates.DropParts(Candidates.Join([.. candidates], 0.4f)));
        }
    }

    [Fact]
    public void A_part_of_a_face_is_no_face()
    {
        Candidate face = new(new(0, 0, 100, 120), 0.9f, 1, null);
        Candidate eye = new(new(10, 10, 40, 40), 0.99f, 1, null);
        Assert.Equal([face], Candidates.DropParts([eye, face]));

        // A box that happens to contain faces which are far more certain.
        var doubtful = face with { Score = 0.5f };
        var second = eye with { Box = new(55, 10, 40, 40) };
        Assert.Equal([eye, second], Candidates.DropParts([eye, doubtful, second]).OrderBy(candidate => candidate.Box.X));
    }

    [Fact]
    public void The_least_certain_of_too_many_candidates_are_dropped()
    {
        var many = Enumerable.Range(0, Candidates.Most + 100).Select(i => Of(1f / (i + 1), 60 * i, 0)).ToList();
        Candidates.Trim(many);
        Assert.Equal(Candidates.Most, many.Count);
        Assert.Equal(1, many[0].Score);
        Assert.Equal(1f / Candidates.Most, many[^1].Score);
    }

    [Fact]
    public void Boxes_of_a_tile_become_boxes_of_the_photo()
    {
        // At half the size, from (200, 100) on.
        var found = Read(new(1_000, 800, 4, 4, 100), 200, 100, [10, 20, 30, 50, 0.8f]);
        Assert.Equal([new Candidate(new(420, 240, 40, 60), 0.8f, 0.8f, null)], found);
    }

    [Fact]
    public void Landmarks_of_a_tile_become_landmarks_of_the_photo()
    {
        var found = new List<Candidate>();
        new PhotoTile(new(1_000, 800, 4, 4, 100), 200, 100, 2_000, 1_600, Input)
            .Read([10, 20, 30, 50, 0.8f, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 5, found);
        Assert.Equal(new(402, 204), Assert.Single(found).Landmarks!.LeftEye);
        Assert.Equal(new(418, 220), found[0].Landmarks!.RightMouthCorner);
    }

    [Theory]
    // Cut by the edge of a tile that has a neighbour there.
    [InlineData(-3, 100, 40, 150)]
    [InlineData(100, 1, 140, 60)]
    [InlineData(290, 100, 319, 140)]
    [InlineData(100, 200, 140, 250)]
    // Larger than the level answers for.
    [InlineData(100, 50, 201, 150)]
    // Nonsense.
    [InlineData(100, 100, 100, 150)]
    [InlineData(140, 100, 100, 150)]
    [InlineData(float.NaN, 100, 140, 150)]
    [InlineData(float.NegativeInfinity, 100, float.PositiveInfinity, 150)]
    public void Boxes_that_are_no_whole_face_are_dropped(float left, float top, float right, float bottom) =>
        Assert.Empty(Read(new(1_000, 800, 4, 4, 100), 200, 100, [left, top, right, bottom, 0.9f]));

    [Fact]
    public void Boxes_may_extend_beyond_the_photo()
    {
        var whole = new TileLevel(320, 240, 1, 1, float.PositiveInfinity);
        Assert.Single(Read(whole, 0, 0, [-30, -20, 200, 235, 0.9f]));
        Assert.Single(Read(whole, 0, 0, [200, 100, 340, 260, 0.9f]));
        Assert.Empty(Read(whole, 0, 0, [-1e30f, -1e30f, 1e30f, 1e30f, 0.9f]));
    }

    private static List<Candidate> Read(TileLevel level, int x, int y, ReadOnlySpan<float> values)
    {
        var found = new List<Candidate>();
        new PhotoTile(level, x, y, 2_000, 1_600, Input).Read(values, 0, found);
        return found;
    }

    private static Candidate Of(float score, float x, float y, Landmarks? landmarks = null) =>
        new(new(x, y, 40, 50), score, score, landmarks);

    private static Landmarks Points(float value)
    {
        var point = new Vector2(value);
        return new(point, point, point, point, point);
    }
}
