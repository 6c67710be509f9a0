using System.Security.Cryptography;
using Embeddings.Cli.Sampling;

namespace Embeddings.Cli.Tests.Sampling;

public sealed class SampleSetTests
{
    [Fact]
    public void There_are_as_many_as_promised_and_every_id_once()
    {
        var stored = new SampleSet().Stored().ToList();
        Assert.Equal(2 * SampleSet.SubjectsOfAKind * SampleSet.StoredPictures, stored.Count);
        Assert.True(SampleSet.SubjectsOfAKind >= 10 && SampleSet.StoredPictures >= 5);
        Assert.Equal(stored.Count, stored.Select(sample => sample.JobId).Distinct().Count());
        Assert.Contains(stored, sample => sample.JobId == "sample-scene-03-v1");
        Assert.DoesNotContain(stored, sample => sample.Number == SampleSet.HeldOut);
    }

    [Theory]
    [InlineData(ItemKind.Image)]
    [InlineData(ItemKind.Face)]
    internal void The_same_seed_draws_the_same_bytes_and_another_draws_others(ItemKind kind)
    {
        var one = new SampleSet(1).Draw(kind, 2, 3);
        var same = new SampleSet(1).Draw(kind, 2, 3);
        Assert.Equal(one.Jpeg.ToArray(), same.Jpeg.ToArray());
        Assert.Equal(one.Landmarks, same.Landmarks);
        Assert.Equal(one.Variation, same.Variation);
        Assert.NotEqual(one.Jpeg.ToArray(), new SampleSet(2).Draw(kind, 2, 3).Jpeg.ToArray());
    }

    [Fact]
    public void No_picture_is_another_and_each_is_a_jpeg()
    {
        var set = new SampleSet();
        var all = set.Stored().Concat(set.Queries(ItemKind.Image)).Concat(set.Queries(ItemKind.Face)).ToList();
        Assert.Equal(all.Count, all.Select(sample => Convert.ToHexString(SHA256.HashData(sample.Jpeg.Span))).Distinct().Count());
        Assert.All(all, sample => Assert.True(sample.Jpeg.Span.StartsWith<byte>([0xFF, 0xD8, 0xFF])));
        Assert.All(all.GroupBy(sample => sample.Subject),
            subject => Assert.Equal(SampleSet.HeldOut, subject.Select(sample => sample.Variation).Distinct().Count()));
    }

    [Fact]
    public void Landmarks_lie_in_the_picture_eyes_over_mouth_and_left_of_right()
    {
        foreach (var face in new SampleSet().Stored().Where(sample => sample.Kind == ItemKind.Face))
        {
            var points = face.Landmarks!.Points();
            Assert.All(points, point => Assert.InRange(point.X, 0, face.Variation.PixelWidth));
            Assert.All(points, point => Assert.InRange(point.Y, 0, face.Variation.PixelWidth));
            Assert.True(points[0].X < points[1].X && points[3].X < points[4].X && points[0].Y < points[2].Y && points[2].Y < points[3].Y);
        }
    }
}
