using System.Numerics;

namespace Embeddings.Core.Faces;

/// <summary>Quality and pose of a face, as <see cref="FaceQuality"/> and <see cref="HeadPose"/> define them.</summary>
internal static class FaceMeasures
{
    // Pixels between the eyes from which a face has the size that is needed.
    private const float EnoughSize = 60;

    // Variance of the Laplacian of which the sharpness is a half. Sharp photos have 350 to 2,000, and 50 to 130 after a blur
    // with a standard deviation of one pixel of the crop.
    private const float HalfSharp = 100;

    // Distance from black and white from which the mean is in the middle range.
    private const float EnoughLight = 50;

    // Standard deviation of enough contrast; faces in daylight have 35 to 75.
    private const float EnoughContrast = 32;

    // Depth of the nose's tip and of the mouth's corners before the plane of the eyes, in distances between the eyes. With
    // these, angles agree best with those of a pose model (slopes of 0.95 and 1.02 over 39 faces).
    private const double NoseDepth = 0.6;
    private const double MouthDepth = 0.1;

    // A face that looks into the camera: the ArcFace template (insightface, face_align.py) made symmetric, in distances
    // between the eyes from the middle between them; x to the right, y down, z away from the camera.
    private static readonly (double X, double Y, double Z)[] Head =
    [
        (-0.5, 0, 0), (0.5, 0, 0), (0, 0.5715, -NoseDepth), (-0.414, 1.154, -MouthDepth), (0.414, 1.154, -MouthDepth),
    ];

    /// <summary>The quality.</summary>
    /// <param name="crop">RGB pixels of the aligned crop.</param>
    /// <param name="side">Width and height of the crop, pixels.</param>
    /// <param name="landmarks">Landmarks in the photo.</param>
    /// <param name="pose">Rotation of the head.</param>
    /// <param name="confidence">Confidence of the detector, 0 to 1.</param>
    public static FaceQuality Quality(
        ReadOnlySpan<byte> crop, int side, Landmarks landmarks, HeadPose pose, float confidence)
    {
        var luminance = new float[side * side];
        for (var i = 0; i < luminance.Length; i++)
        {
            luminance[i] = (0.299f * crop[3 * i]) + (0.587f * crop[(3 * i) + 1]) + (0.114f * crop[(3 * i) + 2]);
        }
        var (mean, variance) = Moments(luminance);
        var blur = LaplacianVariance(luminance, side);
        var size = Share(Vector2.Distance(landmarks.LeftEye, landmarks.RightEye) / EnoughSize);
        var sharpness = Share((float)(blur / (blur + HalfSharp)));
        var brightness = Share((float)Math.Min(mean, 255 - mean) / EnoughLight);
        var contrast = Share((float)Math.Sqrt(variance) / EnoughContrast);
        var facing = Share(Cosine(pose.Yaw) * Cosine(pose.Pitch) * Cosine(pose.Roll / 2));
        var product = (double)size * sharpness * brightness * contrast * facing * confidence;
        return new((float)Math.Pow(product, 1 / 6.0), size, sharpness, brightness, contrast, facing, confidence);
    }

    /// <summary>
    /// The rotation of a head, estimated from its landmarks: the scaled orthographic projection of a mean head that is nearest
    /// to the least-squares affine one. With R = Rz(roll) Ry(yaw) Rx(pitch), as for a head that nods first, then turns, then
    /// tilts. A nose that is longer than the mean makes angles larger than they are.
    /// </summary>
    public static HeadPose Pose(Landmarks landmarks)
    {
        Span<Vector2> points = stackalloc Vector2[5];
        landmarks.CopyTo(points);
        double centerX = 0, centerY = 0, headY = 0, headZ = 0;
        for (var i = 0; i < points.Length; i++)
        {
            centerX += points[i].X / 5.0;
            centerY += points[i].Y / 5.0;
            headY += Head[i].Y / 5;
            headZ += Head[i].Z / 5;
        }

        // Sums of products of the head's coordinates; those of x with y and z are zero, since it is symmetric.
        double xx = 0, yy = 0, yz = 0, zz = 0;
        Span<double> sums = stackalloc double[6];
        sums.Clear();
        for (var i = 0; i < points.Length; i++)
        {
            var (x, y, z) = (Head[i].X, Head[i].Y - headY, Head[i].Z - headZ);
            var (u, v) = (points[i].X - centerX, points[i].Y - centerY);
            xx += x * x;
            yy += y * y;
            yz += y * z;
            zz += z * z;
            sums[0] += u * x;
            sums[1] += u * y;
            sums[2] += u * z;
            sums[3] += v * x;
            sums[4] += v * y;
            sums[5] += v * z;
        }
        var determinant = (yy * zz) - (yz * yz);
        var (ax, ay, az) = Solve(sums[..3]);
        var (bx, by, bz) = Solve(sums[3..]);

        // The nearest rows of equal length at a right angle, times a scale: G^-1/2 M, where G = M M^T.
        var (p, q, r) = (ax * ax + ay * ay + az * az, ax * bx + ay * by + az * bz, bx * bx + by * by + bz * bz);
        var root = Math.Sqrt(Math.Max((p * r) - (q * q), 0));
        var trace = Math.Sqrt(p + r + (2 * root));
        var (s11, s12, s22) = ((p + root) / trace, q / trace, (r + root) / trace);
        var size = (s11 * s22) - (s12 * s12);
        if (!(size > 0))
        {
            return default;
        }
        var first = (X: (s22 * ax - s12 * bx) / size, Y: (s22 * ay - s12 * by) / size, Z: (s22 * az - s12 * bz) / size);
        var second = (X: (s11 * bx - s12 * ax) / size, Y: (s11 * by - s12 * ay) / size, Z: (s11 * bz - s12 * az) / size);
        var third = (
            X: (first.Y * second.Z) - (first.Z * second.Y),
            Y: (first.Z * second.X) - (first.X * second.Z),
            Z: (first.X * second.Y) - (first.Y * second.X));
        return new(
            Degrees(Math.Asin(Math.Clamp(third.X, -1, 1))),
            Degrees(Math.Atan2(-third.Y, third.Z)),
            Degrees(Math.Atan2(second.X, first.X)));

        (double X, double Y, double Z) Solve(ReadOnlySpan<double> sum) => (
            sum[0] / xx,
            ((sum[1] * zz) - (sum[2] * yz)) / determinant,
            ((sum[2] * yy) - (sum[1] * yz)) / determinant);
    }

    private static (double Mean, double Variance) Moments(ReadOnlySpan<float> values)
    {
        double sum = 0, squares = 0;
        foreach (var value in values)
        {
            sum += value;
            squares += (double)value * value;
        }
        var mean = sum / values.Length;
        return (mean, Math.Max((squares / values.Length) - (mean * mean), 0));
    }

    private static double LaplacianVariance(ReadOnlySpan<float> luminance, int side)
    {
        double sum = 0, squares = 0;
        for (var y = 1; y < side - 1; y++)
        {
            var above = luminance.Slice((y - 1) * side, side);
            var row = luminance.Slice(y * side, side);
            var below = luminance.Slice((y + 1) * side, side);
            for (var x = 1; x < row.Length - 1; x++)
            {
                var value = row[x - 1] + row[x + 1] + above[x] + below[x] - (4 * row[x]);
                sum += value;
                squares += (double)value * value;
            }
        }
        var count = (side - 2) * (side - 2);
        return Math.Max((squares / count) - (sum / count * (sum / count)), 0);
    }

    private static float Cosine(float degrees) => MathF.Max(0, MathF.Cos(degrees * MathF.PI / 180));

    private static float Degrees(double radians) => (float)(radians * 180 / Math.PI);

    // NaN becomes 0.
    private static float Share(float value) => value > 0 ? Math.Min(value, 1) : 0;
}
