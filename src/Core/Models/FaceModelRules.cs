namespace Embeddings.Core.Models;

/// <summary>Checks of the manifest's sections for models that do not embed.</summary>
internal static class FaceModelRules
{
    private const int MaxGrids = 8;
    private const int MaxNameLength = 256;
    private const int PointCount = 5;
    private const int MaxLandmarks = 1_024;

    /// <exception cref="ModelException">
    /// The section of the model's kind is missing, one of another kind is present, or a value is out of range.
    /// </exception>
    public static void Check(ModelManifest manifest, ManifestFile.Field at)
    {
        (ModelKind Kind, object? Section)[] sections =
        [
            (ModelKind.Detector, manifest.Detector),
            (ModelKind.Landmarks, manifest.Landmarks),
            (ModelKind.Liveness, manifest.Liveness),
            (ModelKind.Pose, manifest.Pose),
        ];
        foreach (var (kind, section) in sections)
        {
            var name = ManifestFile.Word(kind);
            if (section is null && manifest.Kind == kind)
            {
                throw at.Error(name, $"is required for kind {name}");
            }
            if (section is not null && manifest.Kind != kind)
            {
                throw at.Error(name, $"must be absent unless kind is {name}; kind is {ManifestFile.Word(manifest.Kind)}");
            }
        }
        Check(manifest.Detector, manifest.Input, at with { Prefix = "detector." });
        Check(manifest.Landmarks, at with { Prefix = "landmarks." });
        Check(manifest.Liveness, at with { Prefix = "liveness." });
        Check(manifest.Pose, at with { Prefix = "pose." });
    }

    /// <summary>Checks everything but the names of the outputs, which presets need not have.</summary>
    public static void CheckDecoding(DetectorSpec spec, InputSpec input, ManifestFile.Field at)
    {
        var corners = spec.Boxes == BoxCoding.Corners;
        if (spec.Strides.Count > MaxGrids || corners != (spec.Strides.Count == 0))
        {
            throw at.Error(
                "strides",
                corners
                    ? "must be empty: boxes that are corners have no anchors"
                    : $"must have 1 to {MaxGrids} numbers; got {spec.Strides.Count}");
        }
        if (spec.Strides.Any(stride => stride is < 1 or > 256))
        {
            throw at.Error("strides", $"must be between 1 and 256; got {spec.Strides.First(stride => stride is < 1 or > 256)}");
        }
        if (spec.Anchors.Count > 0 && spec.Anchors.Count != spec.Strides.Count)
        {
            throw at.Error("anchors", $"must have one number per stride, {spec.Strides.Count}; got {spec.Anchors.Count}");
        }
        if (spec.Anchors.Any(count => count is < 1 or > 16))
        {
            throw at.Error("anchors", $"must be between 1 and 16; got {spec.Anchors.First(count => count is < 1 or > 16)}");
        }
        at.Between("anchor_offset", spec.AnchorOffset, 0, 1);
        at.Between("nms", spec.Nms, 0, 1);
        at.Between("min_confidence", spec.MinConfidence, 0, 1);
        at.Between("min_score", spec.MinScore, 0.01f, Math.Max(0.01f, spec.MinConfidence));
        at.Between("min_face", spec.MinFace, 1, 4_096);
        var shortest = Math.Min(input.Width, input.Height);
        if (spec.MinFace > shortest)
        {
            throw at.Error("min_face", $"must be at most the input's shortest side, {shortest}; got {spec.MinFace}");
        }
        at.Between("max_face", spec.MaxFace, spec.MinFace, 4_096);
    }

    private static void Check(DetectorSpec? spec, InputSpec input, ManifestFile.Field at)
    {
        if (spec is null)
        {
            return;
        }
        CheckDecoding(spec, input, at);
        var outputs = spec.Outputs;
        var inside = at with { Prefix = at.Prefix + "outputs." };
        CheckNames(inside, "scores", outputs.Scores, 1);
        CheckNames(inside, "objectness", outputs.Objectness, 0);
        CheckNames(inside, "boxes", outputs.Boxes, 1);
        CheckNames(inside, "keypoints", outputs.Keypoints, 0);
        if (outputs.Objectness.Count > 0 && outputs.Objectness.Count != outputs.Scores.Count)
        {
            throw inside.Error(
                "objectness", $"must have as many names as scores, {outputs.Scores.Count}; got {outputs.Objectness.Count}");
        }
        if (outputs.Objectness.Count > 0 && spec.Scores == ScoreCoding.Logit)
        {
            throw inside.Error("objectness", "must be empty if scores are logits");
        }
        if (outputs.Keypoints.Count > 0 && spec.Boxes == BoxCoding.Corners)
        {
            throw inside.Error("keypoints", "must be empty: boxes that are corners have no anchors");
        }
        if (outputs.All.GroupBy(name => name).FirstOrDefault(group => group.Count() > 1) is { } twice)
        {
            throw at.Error("outputs", $"must name each output once; got {twice.Key} twice");
        }
    }

    private static void Check(LandmarksSpec? spec, ManifestFile.Field at)
    {
        if (spec is null)
        {
            return;
        }
        at.Text("output", spec.Output, MaxNameLength);
        at.Between("scale", spec.Scale, 1e-3f, 1e4f);
        at.Between("crop_scale", spec.CropScale, 0.5f, 8);
        at.Between("crop_height", spec.CropHeight, 0.25f, 4);
        at.Between("crop_down", spec.CropDown, -0.5f, 0.5f);
        if (spec.Points.Count != PointCount || spec.Points.Any(group => group.Count is < 1 or > 16))
        {
            throw at.Error("points", $"must be {PointCount} lists of 1 to 16 landmarks each");
        }
        if (spec.Points.SelectMany(group => group).FirstOrDefault(index => index is < 0 or >= MaxLandmarks) is var index and not 0)
        {
            throw at.Error("points", $"must be landmarks between 0 and {MaxLandmarks - 1}; got {index}");
        }
    }

    private static void Check(LivenessSpec? spec, ManifestFile.Field at)
    {
        if (spec is null)
        {
            return;
        }
        at.Text("output", spec.Output, MaxNameLength);
        at.Between("live_class", spec.LiveClass, 0, 100);
        at.Between("crop_scale", spec.CropScale, 0.5f, 8);
    }

    private static void Check(PoseSpec? spec, ManifestFile.Field at)
    {
        if (spec is null)
        {
            return;
        }
        foreach (var (field, name) in ((string, string)[])[("yaw", spec.Yaw), ("pitch", spec.Pitch), ("roll", spec.Roll)])
        {
            CheckNames(at, field, [name], 1);
        }
        at.Between("first_bin", spec.FirstBin, -360, 360);
        at.Between("bin_size", spec.BinSize, 1e-3f, 90);
        at.Between("crop_scale", spec.CropScale, 0.5f, 8);
        if (spec.Signs.Count != 3 || spec.Signs.Any(sign => sign is not (1 or -1)))
        {
            throw at.Error("signs", "must be three numbers, each 1 or -1");
        }
    }

    private static void CheckNames(ManifestFile.Field at, string field, IReadOnlyList<string> names, int least)
    {
        if (names.Count < least || names.Count > MaxGrids)
        {
            throw at.Error(field, $"must have {least} to {MaxGrids} names of outputs; got {names.Count}");
        }
        foreach (var name in names)
        {
            at.Text(field, name, MaxNameLength);
            if (name.Length == 0)
            {
                throw at.Error(field, "must not have an empty name");
            }
        }
    }
}
