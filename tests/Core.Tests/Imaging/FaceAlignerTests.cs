using System.Numerics;
using Embeddings.Core.Imaging;
using Embeddings.Primitives;
using Embeddings.Testing;

namespace Embeddings.Core.Tests.Imaging;

public sealed class FaceAlignerTests
{
    private static readonly Landmarks OnTemplate =
        new(new(38.2946f, 51.6963f), new(73.5318f, 51.5014f), new(56.0252f, 71.7366f), new(41.5493f, 92.3655f), new(70.7299f, 92.2041f));

    [Fact]
    public void A_face_on_the_template_stays_as_it_is()
    {
        var pixels = TestImages.Busy(112, 112);
        Assert.InRange(TestImages.MeanDifference(pixels, Align(pixels, 112, 112, 3, OnTemplate, 112, 112)), 0, 0.01);
    }

    [Fact]
    public void A_shifted_face_is_moved_back_and_the_outside_is_black()
    {
        var pixels = new byte[150 * 140 * 3];
        Array.Fill(pixels, (byte)200);
        var aligned = Align(pixels, 150, 140, 3, Map(OnTemplate, p => p - new Vector2(20, 10)), 112, 112);
        for (var i = 0; i < aligned.Length; i += 3)
        {
            var (x, y) = (i / 3 % 112, i / 336);

            // A pixel's width is left for rounding where the border is.
            if (x < 19 || y < 9)
            {
                Assert.Equal(0, aligned[i]);
            }
            else if (x > 20 && y > 10)
            {
                Assert.Equal(200, aligned[i]);
            }
        }
    }

    [Theory]
    [InlineData(0.4, 30, 3)]
    [InlineData(2.5, -100, 3)]
    [InlineData(1, 180, 1)]
    public void Is_plain_bilinear_sampling(double scale, double degrees, int channels)
    {
        var (sin, cos) = Math.SinCos(degrees * Math.PI / 180);
        var toPicture = new SimilarityTransform(scale * cos, scale * sin, 160, 120);
        var landmarks = Map(OnTemplate, p =>
        {
            var q = p - new Vector2(56, 72);
            return new((float)(toPicture.A * q.X - toPicture.B * q.Y + toPicture.X), (float)(toPicture.B * q.X + toPicture.A * q.Y + toPicture.Y));
        });
        var pixels = TestImages.Smooth(320, 240, channels);
        var aligned = Align(pixels, 320, 240, channels, landmarks, 112, 112);
        double difference = 0;
        for (var i = 0; i < aligned.Length; i++)
        {
            var (x, y, c) = (i / channels % 112 - 56, i / channels / 112 - 72, i % channels);
            var (u, v) = (toPicture.A * x - toPicture.B * y + toPicture.X, toPicture.B * x + toPicture.A * y + toPicture.Y);
            difference += Math.Abs(Bilinear(pixels, 320, 240, channels, u, v, c) - aligned[i]);
        }
        Assert.InRange(difference / aligned.Length, 0, 0.6);
    }

    [Theory]
    [InlineData(224, 224)]
    [InlineData(96, 112)]
    [InlineData(160, 120)]
    public void The_template_is_scaled_to_the_shorter_side_and_centred(int width, int height)
    {
        var shorter = Math.Min(width, height);
        var transform = FaceAligner.TransformTo(width, height, OnTemplate);
        Assert.Equal(shorter / 112.0, transform.Scale, 1e-6);
        Assert.Equal((width - shorter) / 2.0, transform.X, 1e-3);
        Assert.Equal((height - shorter) / 2.0, transform.Y, 1e-3);
    }

    public static TheoryData<string, float[]> Bad => new()
    {
        { "NaN", [float.NaN, 50, 70, 50, 60, 70, 45, 90, 70, 90] },
        { "infinite", [40, 50, 70, float.PositiveInfinity, 60, 70, 45, 90, 70, 90] },
        { "coincident", [50, 50, 50, 50, 50, 50, 50, 50, 50, 50] },
        { "nearly coincident", [50, 50, 50.1f, 50, 50, 50.1f, 50.1f, 50.1f, 50, 50] },
        { "on a line", [10, 10, 20, 20, 30, 30, 40, 40, 50, 50] },
        { "on a level line", [10, 50, 20, 50, 30, 50, 40, 50, 50, 50] },
        { "nearly on a line", [10, 10, 20, 20.05f, 30, 30, 40, 40.05f, 50, 50] },
        { "outside", [1038, 51, 1073, 51, 1056, 71, 1041, 92, 1070, 92] },
        { "one far outside", [38, 51, 73, 51, 56, 71, 41, 92, 70, 900] },
        { "left of it", [-38, 51, -3, 51, -20, 71, -35, 92, -6, 92] },
        { "huge", [1e30f, 0, 0, 1e30f, 1e30f, 1e30f, -1e30f, 5, 0, 0] },
        { "x and y swapped", [51, 38, 51, 73, 71, 56, 92, 41, 92, 70] },
        { "left and right swapped", [73, 51, 38, 51, 56, 71, 70, 92, 41, 92] },
        { "only the eyes swapped", [73, 51, 38, 51, 56, 71, 41, 92, 70, 92] },
        { "only the mouth swapped", [38, 51, 73, 51, 56, 71, 70, 92, 41, 92] },
        { "largest", [float.MaxValue, 0, 0, float.MaxValue, 1, 1, float.MinValue, 5, 0, 0] },
    };

    [Theory]
    [MemberData(nameof(Bad))]
    public void Points_that_are_not_a_face_are_refused(string why, float[] p)
    {
        var landmarks = new Landmarks(new(p[0], p[1]), new(p[2], p[3]), new(p[4], p[5]), new(p[6], p[7]), new(p[8], p[9]));
        var preprocessor = new Preprocessor(new ImagingOptions());
        var raw = new ImageInput(new byte[120 * 120 * 3], PixelFormat.Rgb8, 120, 120, landmarks);
        var file = TestImages.File(TestImages.Encode(TestImages.Smooth(120, 120), 120, 120, 3, ".png"), landmarks);
        foreach (var fault in new[]
        {
            Assert.Throws<Fault>(() => preprocessor.Validate(raw, TestImages.Spec(112, 112))),
            Assert.Throws<Fault>(() => preprocessor.Prepare(file, TestImages.Spec(112, 112))),
        })
        {
            Assert.True(fault.Reason == Reasons.LandmarksInvalid && fault.Field == "landmarks", why);
        }
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(45, 0)]
    [InlineData(90, 0)]
    [InlineData(-90, 0)]
    [InlineData(0, 60)]
    [InlineData(0, -60)]
    [InlineData(45, 30)]
    public void A_turned_head_has_landmarks_that_are_taken(double yaw, double pitch)
    {
        // A face model in pixels of the template: the eyes, the nose in front, the corners of the mouth.
        (double X, double Y, double Z)[] head = [(-17.6, -20, 0), (17.6, -20, 0), (0, 0, -14), (-14.5, 20.5, -2), (14.5, 20.5, -2)];
        var (sinYaw, cosYaw) = Math.SinCos(yaw * Math.PI / 180);
        var (sinPitch, cosPitch) = Math.SinCos(pitch * Math.PI / 180);
        var seen = head.Select(p => (X: p.X * cosYaw + p.Z * sinYaw, p.Y, Z: p.Z * cosYaw - p.X * sinYaw))
            .Select(p => new Vector2((float)p.X + 60, (float)(p.Y * cosPitch - p.Z * sinPitch) + 60))
            .ToArray();
        var landmarks = new Landmarks(seen[0], seen[1], seen[2], seen[3], seen[4]);
        LandmarkRules.Check(landmarks);
        Assert.InRange(FaceAligner.Residual(landmarks, FaceAligner.TransformTo(112, 112, landmarks)), 0, 16);
    }

    [Fact]
    public void Landmarks_of_a_mirror_image_are_refused_with_the_residual()
    {
        var swapped = new Landmarks(new(73.5318f, 51.5014f), new(38.2946f, 51.6963f), new(56.0252f, 71.7366f), new(41.5493f, 92.3655f), new(70.7299f, 92.2041f));
        var fault = Assert.Throws<Fault>(() => LandmarkRules.Check(swapped));
        Assert.Contains("at most 16 pixels on the template of 112; got 19.6.", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_face_cut_by_the_border_is_taken()
    {
        var landmarks = Map(OnTemplate, p => p - new Vector2(45, 0));
        var image = new ImageInput(TestImages.Busy(112, 112), PixelFormat.Rgb8, 112, 112, landmarks);
        Assert.Equal(112 * 112 * 3, TestImages.Rgb(image, TestImages.Spec(112, 112)).Length);
    }

    private static byte[] Align(byte[] pixels, int width, int height, int channels, Landmarks landmarks, int toWidth, int toHeight)
    {
        var crop = new byte[toWidth * toHeight * channels];
        FaceAligner.Align(new PixelView(pixels, width, height, channels), landmarks, crop, toWidth, toHeight);
        return crop;
    }

    private static Landmarks Map(Landmarks l, Func<Vector2, Vector2> f) =>
        new(f(l.LeftEye), f(l.RightEye), f(l.Nose), f(l.LeftMouthCorner), f(l.RightMouthCorner));

    private static double Bilinear(byte[] pixels, int width, int height, int channels, double x, double y, int channel)
    {
        double sum = 0;
        for (var v = (int)Math.Floor(y); v <= Math.Floor(y) + 1; v++)
        {
            for (var u = (int)Math.Floor(x); u <= Math.Floor(x) + 1; u++)
            {
                if (u >= 0 && v >= 0 && u < width && v < height)
                {
                    sum += (1 - Math.Abs(x - u)) * (1 - Math.Abs(y - v)) * pixels[(v * width + u) * channels + channel];
                }
            }
        }
        return sum;
    }
}
