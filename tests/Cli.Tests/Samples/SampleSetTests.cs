using System.Security.Cryptography;
using Embeddings.Cli.Samples;
using NetVips;

namespace Embeddings.Cli.Tests.Samples;

public sealed class SampleSetTests
{
    [Fact]
    public void Every_subject_has_stored_images_and_one_that_is_held_out()
    {
        var subjects = SampleSet.All.GroupBy(sample => (sample.Kind, sample.Subject)).ToList();
        Assert.All(new[] { ItemKind.Image, ItemKind.Face }, kind => Assert.True(subjects.Count(subject => subject.Key.Kind == kind) >= 10));
        Assert.All(subjects, subject => Assert.Equal(Enumerable.Range(1, SampleSet.HeldOut), subject.Select(sample => sample.Number)));
        Assert.DoesNotContain(SampleSet.Stored, sample => sample.Number == SampleSet.HeldOut);
        Assert.Equal(SampleSet.All.Count, SampleSet.All.Select(sample => sample.JobId).Distinct().Count());
    }

    [Fact]
    public void All_images_are_different_jpeg_files_and_small_together()
    {
        Assert.Equal(SampleSet.All.Count, SampleSet.All.Select(sample => Convert.ToHexString(SHA256.HashData(sample.Jpeg.Span))).Distinct().Count());
        Assert.All(SampleSet.All, sample => Assert.True(sample.Jpeg.Span.StartsWith<byte>([0xFF, 0xD8, 0xFF])));
        Assert.InRange(SampleSet.All.Sum(sample => sample.Jpeg.Length), 1, 600_000);
    }

    [Fact]
    public void Landmarks_are_in_the_image_with_eyes_above_mouth_and_left_before_right()
    {
        Assert.All(SampleSet.All.Where(sample => sample.Kind == ItemKind.Image), sample => Assert.Null(sample.Landmarks));
        foreach (var face in SampleSet.All.Where(sample => sample.Kind == ItemKind.Face))
        {
            using var image = Image.NewFromBuffer(face.Jpeg.ToArray());
            var points = face.Landmarks!.Points().ToList();
            Assert.All(points, point => Assert.InRange(point.X, 0, image.Width));
            Assert.All(points, point => Assert.InRange(point.Y, 0, image.Height));
            Assert.True(points[0].X < points[1].X && points[3].X < points[4].X && points[0].Y < points[2].Y && points[2].Y < points[3].Y);
        }
    }
}
