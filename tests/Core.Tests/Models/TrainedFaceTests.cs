using System.Numerics;
using Embeddings.Core.Inference;
using Embeddings.Testing;
using Embeddings.Testing.Models;

namespace Embeddings.Core.Tests.Models;

/// <summary>The default detector, its landmarks, and the optional models on photos of faces.</summary>
public sealed class TrainedFaceTests
{
    private static readonly Lazy<IReadOnlyList<LabelledFace>> Faces = new(LabelledFace.All);

    private static readonly Lazy<float[][]> Found = new(() =>
    {
        using var detector = ModelLoader.Load(TrainedModels.PathOf("ultraface"), new());
        return DetectorRun.Best(detector, Files);
    });

    private static IReadOnlyList<string> Files => [.. Faces.Value.Select(face => face.File)];

    [TrainedModelsFact(NeedsMaterial = true)]
    public void The_detector_finds_every_face_of_the_photos()
    {
        Assert.Equal(29, Faces.Value.Count);
        Assert.All(Found.Value.Zip(Faces.Value), pair =>
        {
            Assert.InRange(pair.First[4], 0.9f, 1);
            Assert.InRange(pair.Second.Overlap(pair.First), 0.6f, 1);
        });
    }

    [TrainedModelsFact(NeedsMaterial = true)]
    public void The_landmarks_are_where_another_model_finds_them()
    {
        using var model = ModelLoader.Load(TrainedModels.PathOf("landmarks68"), new());
        var errors = DetectorRun.OnCrops(model, Files, Found.Value, 1).Zip(Faces.Value, (found, face) =>
        {
            var (width, height) = (found.Crop[2] - found.Crop[0], found.Crop[3] - found.Crop[1]);
            return Enumerable.Range(0, 5)
                .Select(i => new Vector2(found.Crop[0] + (found.Result[2 * i] * width), found.Crop[1] + (found.Result[(2 * i) + 1] * height)))
                .Zip(face.Points, (at, expected) => Vector2.Distance(at, expected) / face.EyeDistance)
                .Average();
        }).ToList();
        // In distances between the eyes.
        Assert.InRange(errors.Average(), 0, 0.1);
        Assert.InRange(errors.Max(), 0, 0.3);
    }

    [TrainedModelsFact(NeedsMaterial = true)]
    public void The_pose_has_the_signs_of_the_contract()
    {
        using var model = ModelLoader.Load(TrainedModels.PathOf("optional/pose"), new());
        var poses = DetectorRun.OnCrops(model, Files, Found.Value, model.Manifest.Pose!.CropScale).Select(found => found.Result).ToList();
        var geometry = Faces.Value.Select(face =>
        {
            var eyes = face.Points[1] - face.Points[0];
            var roll = MathF.Atan2(eyes.Y, eyes.X);
            var middle = (face.Points[0] + face.Points[1] + face.Points[3] + face.Points[4]) / 4;
            var nose = Vector2.Transform(face.Points[2] - middle, Matrix3x2.CreateRotation(-roll)) / face.EyeDistance;
            return (Roll: roll * 180 / MathF.PI, Nose: nose);
        }).ToList();
        Assert.InRange(poses.Zip(geometry, (pose, seen) => MathF.Abs(pose[2] - seen.Roll)).Average(), 0, 4);
        // A face that looks to the right has its nose right of the middle; a lowered one has it low.
        Assert.InRange(Correlation(poses.Select(pose => pose[0]), geometry.Select(seen => seen.Nose.X)), 0.7, 1);
        Assert.InRange(Correlation(poses.Select(pose => pose[1]), geometry.Select(seen => -seen.Nose.Y)), 0.6, 1);
    }

    [TrainedModelsFact(NeedsMaterial = true)]
    public void Most_photos_from_life_are_taken_for_that()
    {
        using var model = ModelLoader.Load(TrainedModels.PathOf("optional/liveness"), new());
        var live = DetectorRun.OnCrops(model, Files, Found.Value, model.Manifest.Liveness!.CropScale).Select(found => Assert.Single(found.Result)).ToList();
        Assert.All(live, value => Assert.InRange(value, 0, 1));
        Assert.InRange(live.Count(value => value > 0.5f), 24, 29);
    }

    private static double Correlation(IEnumerable<float> left, IEnumerable<float> right)
    {
        var (a, b) = (left.ToList(), right.ToList());
        var (meanA, meanB) = (a.Average(), b.Average());
        var products = a.Zip(b, (x, y) => (x - meanA) * (y - meanB)).Sum();
        return products / Math.Sqrt(a.Sum(x => (x - meanA) * (x - meanA)) * b.Sum(y => (y - meanB) * (y - meanB)));
    }
}
