using System.Numerics;
using Embeddings.Core.Faces;
using Embeddings.Testing;

namespace Embeddings.Core.Tests.Faces;

public sealed class FaceMeasuresTests
{
    private const int Side = 112;

    private static readonly Landmarks Frontal = new(new(38, 52), new(98, 52), new(68, 86), new(43, 121), new(93, 121));

    [Fact]
    public void A_face_with_the_landmarks_of_the_template_looks_into_the_camera()
    {
        var pose = FaceMeasures.Pose(new(
            new(38.2946f, 51.6963f), new(73.5318f, 51.5014f), new(56.0252f, 71.7366f), new(41.5493f, 92.3655f), new(70.7299f, 92.2041f)));
        Assert.InRange(pose.Yaw, -1, 1);
        Assert.InRange(pose.Pitch, -1, 1);
        Assert.InRange(pose.Roll, -1, 1);
    }

    [Fact]
    public void Poses_of_a_projected_head_are_found()
    {
        var worst = 0f;
        for (var yaw = -60; yaw <= 60; yaw += 15)
        {
            for (var pitch = -40; pitch <= 40; pitch += 10)
            {
                for (var roll = -150; roll <= 150; roll += 30)
                {
                    var pose = FaceMeasures.Pose(Project(yaw, pitch, roll, distance: double.PositiveInfinity));
                    worst = Math.Max(worst, Distance(pose, yaw, pitch, roll));
                }
            }
        }
        Assert.InRange(worst, 0, 0.1f);
    }

    [Fact]
    public void Perspective_changes_poses_by_a_few_degrees()
    {
        var worst = 0f;
        for (var yaw = -45; yaw <= 45; yaw += 15)
        {
            for (var pitch = -30; pitch <= 30; pitch += 10)
            {
                // From one meter: the distance between the eyes is 63 mm.
                var pose = FaceMeasures.Pose(Project(yaw, pitch, 10, distance: 1_000.0 / 63));
                worst = Math.Max(worst, Distance(pose, yaw, pitch, 10));
            }
        }
        Assert.InRange(worst, 0, 5);
    }

    [Fact]
    public void Angles_are_positive_to_the_right_upward_and_clockwise()
    {
        // The nose moves to where the face looks.
        Assert.InRange(FaceMeasures.Pose(Frontal with { Nose = new(80, 86) }).Yaw, 5, 60);
        Assert.InRange(FaceMeasures.Pose(Frontal with { Nose = new(68, 74) }).Pitch, 5, 60);

        // The right eye is lower.
        Assert.Equal(30, FaceMeasures.Pose(Turn(Frontal, 30)).Roll, 0.5f);
    }

    [Fact]
    public void Points_that_are_no_face_have_some_pose()
    {
        foreach (var value in (float[])[0, 1e30f, float.NaN, float.PositiveInfinity])
        {
            var point = new Vector2(value);
            var pose = FaceMeasures.Pose(new(point, point, point, point, point));
            var quality = FaceMeasures.Quality(new byte[Side * Side * 3], Side, new(point, point, point, point, point), pose, 1);
            Assert.InRange(quality.Overall, 0, 1);
        }
    }

    [Fact]
    public void Each_value_is_as_defined()
    {
        // Rows of 60 and 180 in turn: mean 120, standard deviation 60, and a Laplacian of 2 x 120 with alternating sign.
        var crop = Crop((_, y) => y % 2 == 0 ? (byte)60 : (byte)180);
        var quality = FaceMeasures.Quality(crop, Side, Frontal with { RightEye = new(68, 52) }, new(60, 0, 0), 0.9f);
        Assert.Equal(0.5f, quality.Size, 1e-4f);
        Assert.Equal(240f * 240 / ((240 * 240) + 100), quality.Sharpness, 1e-4f);
        Assert.Equal(1, quality.Brightness);
        Assert.Equal(1, quality.Contrast);
        Assert.Equal(0.5f, quality.Pose, 1e-4f);
        Assert.Equal(0.9f, quality.Confidence);
        Assert.Equal(Math.Pow(0.5 * quality.Sharpness * 0.5 * 0.9, 1 / 6.0), quality.Overall, 1e-4);
    }

    [Fact]
    public void A_flat_or_dark_crop_has_no_quality()
    {
        var gray = FaceMeasures.Quality(Crop((_, _) => 128), Side, Frontal, default, 1);
        Assert.Equal((0, 1, 0, 0), (gray.Sharpness, gray.Brightness, gray.Contrast, gray.Overall));
        Assert.Equal(0.2f, FaceMeasures.Quality(Crop((_, _) => 10), Side, Frontal, default, 1).Brightness, 1e-3f);
        Assert.Equal(0.1f, FaceMeasures.Quality(Crop((_, _) => 250), Side, Frontal, default, 1).Brightness, 1e-3f);
        Assert.Equal(0.25f, FaceMeasures.Quality(Crop((x, _) => x % 2 == 0 ? (byte)120 : (byte)136), Side, Frontal, default, 1).Contrast, 1e-3f);
    }

    [Fact]
    public void Blur_lowers_sharpness_and_nothing_else_much()
    {
        var sharp = TestImages.Smooth(Side, Side);
        for (var i = 0; i < sharp.Length; i++)
        {
            sharp[i] = (byte)Math.Clamp(sharp[i] + (i / 3 % 7 * 6) - 18, 0, 255);
        }
        var blurred = new byte[sharp.Length];
        for (var i = 0; i < sharp.Length; i++)
        {
            var sum = 0;
            for (var k = -3; k <= 3; k++)
            {
                sum += sharp[Math.Clamp(i + (3 * k), i % 3, sharp.Length - 3 + (i % 3))];
            }
            blurred[i] = (byte)(sum / 7);
        }
        var (before, after) = (
            FaceMeasures.Quality(sharp, Side, Frontal, default, 1), FaceMeasures.Quality(blurred, Side, Frontal, default, 1));
        Assert.InRange(before.Sharpness, 0.6f, 1);
        Assert.InRange(after.Sharpness, 0, 0.3f);
        Assert.Equal(before.Brightness, after.Brightness, 0.02f);
        Assert.InRange(after.Overall, 0, before.Overall);
    }

    private static float Distance(HeadPose pose, float yaw, float pitch, float roll) =>
        Math.Max(Math.Abs(pose.Yaw - yaw), Math.Max(Math.Abs(pose.Pitch - pitch), Math.Abs(pose.Roll - roll)));

    // A head made apart from the tested code: a rotation by matrices, then a projection from a distance.
    private static Landmarks Project(double yaw, double pitch, double roll, double distance)
    {
        (double X, double Y, double Z)[] head = [(-0.5, 0, 0), (0.5, 0, 0), (0, 0.5715, -0.6), (-0.414, 1.154, -0.1), (0.414, 1.154, -0.1)];
        var points = head.Select(point =>
        {
            var (x, y, z) = point;
            (y, z) = (y, z) switch { var (a, b) => ((a * Cos(pitch)) + (b * Sin(pitch)), (b * Cos(pitch)) - (a * Sin(pitch))) };
            (x, z) = (x, z) switch { var (a, b) => ((a * Cos(yaw)) - (b * Sin(yaw)), (b * Cos(yaw)) + (a * Sin(yaw))) };
            (x, y) = (x, y) switch { var (a, b) => ((a * Cos(roll)) - (b * Sin(roll)), (b * Cos(roll)) + (a * Sin(roll))) };
            var scale = double.IsInfinity(distance) ? 80 : 80 * distance / (distance + z);
            return new Vector2((float)((x * scale) + 300), (float)((y * scale) + 200));
        }).ToArray();
        return new(points[0], points[1], points[2], points[3], points[4]);
    }

    private static Landmarks Turn(Landmarks landmarks, double degrees)
    {
        return new(
            Turned(landmarks.LeftEye),
            Turned(landmarks.RightEye),
            Turned(landmarks.Nose),
            Turned(landmarks.LeftMouthCorner),
            Turned(landmarks.RightMouthCorner));

        Vector2 Turned(Vector2 point) => new(
            (float)((point.X * Cos(degrees)) - (point.Y * Sin(degrees))), (float)((point.X * Sin(degrees)) + (point.Y * Cos(degrees))));
    }

    private static double Cos(double degrees) => Math.Cos(degrees * Math.PI / 180);

    private static double Sin(double degrees) => Math.Sin(degrees * Math.PI / 180);

    private static byte[] Crop(Func<int, int, byte> value) =>
        [.. Enumerable.Range(0, Side * Side * 3).Select(i => value(i / 3 % Side, i / 3 / Side))];
}
