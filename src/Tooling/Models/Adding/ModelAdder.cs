using Embeddings.Core;
using Embeddings.Core.Inference;
using Embeddings.Core.Models;
using Embeddings.Tooling.Models.Inspection;
using Embeddings.Tooling.Models.Presets;
using Embeddings.Tooling.Onnx;

namespace Embeddings.Tooling.Models.Adding;

/// <summary>
/// Adds a model file to a directory of models:
/// <list type="number">
/// <item>reads the graph, and refuses models that are neither embedding models nor detectors of a preset;</item>
/// <item>combines the preprocessing from graph, configuration file, options and preset; missing values are errors and never guessed;</item>
/// <item>writes model and manifest to a staging directory and loads them with all checks and probes of the server;</item>
/// <item>moves them to the target directory, the manifest last.</item>
/// </list>
/// </summary>
internal static class ModelAdder
{
    /// <exception cref="ModelException">The model cannot be added, or the values do not form a valid manifest.</exception>
    public static AddedModel Add(AddRequest request)
    {
        var preset = request.Preset is not { } wanted ? null
            : PresetCatalog.Find(wanted) ?? throw new ModelException(request.File, $"Preset '{wanted}' does not "
                + $"exist. Presets: {PresetCatalog.Names}.");
        var config = request.IgnoreConfig ? null : ModelConfig.Find(request.File);
        var facts = GraphInspector.Inspect(request.File);
        var name = request.Name ?? Path.GetFileNameWithoutExtension(request.File);
        Directory.CreateDirectory(request.Directory);
        using var staging = new StagedModel(request.Directory, name);
        // The libraries that write configuration files are for whole images.
        var kind = request.Kind ?? preset?.Kind ?? ModelKind.Image;
        CheckKind(request, kind, preset);
        var (manifest, fixedBatch) = kind == ModelKind.Detector
            ? Detector(request, name, preset!, config, facts, staging)
            : Embedding(request, name, kind, preset, config, facts, staging);
        manifest = manifest with
        {
            MaxBatch = fixedBatch > 0 ? fixedBatch : facts.DynamicallyQuantized ? 1 : request.MaxBatch ?? preset?.MaxBatch ?? 32,
            Licence = request.Licence ?? "",
            Description = request.Description ?? preset?.Description ?? "",
        };
        staging.Write(manifest);

        // Loaded as by the server, but with one session: these checks and probes are the ones that count.
        using var model = ModelLoader.Load(staging.File, new InferenceOptions { Sessions = 1, ProbeBatch = 0 });
        var notices = model.Notices.ToList();
        if (manifest.Licence.Length == 0)
        {
            notices.Add("The licence is not recorded. Set it with --licence.");
        }
        var (fingerprint, maxBatch) = (model.Model.Fingerprint, model.MaxBatch);
        model.Dispose();
        return new(staging.Publish(request.Replace), manifest, fingerprint, maxBatch, [.. facts.Words(), .. config is null ? [] : new[] { config.ToString() }], notices);
    }

    private static void CheckKind(AddRequest request, ModelKind kind, Preset? preset)
    {
        var word = ManifestFile.Word(kind);
        if (preset is not null && (kind == ModelKind.Detector) != (preset.Kind == ModelKind.Detector))
        {
            throw new ModelException(
                request.File, $"--kind is {word}, but preset '{preset.Name}' is for kind {ManifestFile.Word(preset.Kind)}.");
        }
        if (kind == ModelKind.Detector && preset is null)
        {
            throw new ModelException(request.File, $"--kind detector needs a preset: {PresetCatalog.DetectorNames}.");
        }
        if (kind is not (ModelKind.Image or ModelKind.Face or ModelKind.Detector))
        {
            throw new ModelException(
                request.File,
                $"--kind must be image, face or detector; a model of kind {word} needs a manifest with the section '{word}', "
                    + "written by hand as in docs/models.md.");
        }
        if (kind == ModelKind.Detector && request.Output is not null)
        {
            throw new ModelException(request.File, "--output must not be set for a detector: its preset says which it has.");
        }
        if (kind == ModelKind.Detector && request.Decode is not null)
        {
            throw new ModelException(
                request.File, "--decode must not be set for a detector: photos in which faces are looked for are decoded at full size.");
        }
    }

    private static (ModelManifest Manifest, int FixedBatch) Embedding(
        AddRequest request, string name, ModelKind kind, Preset? preset, ModelConfig? config, GraphFacts facts, StagedModel staging)
    {
        var (spec, output) = Stage(request, preset, config, facts, staging);
        var (dimension, fixedBatch) = Measure(staging.File, spec, output);
        var manifest = Manifest(name, kind, spec, staging) with
        {
            Dimension = dimension,
            UnitLength = kind == ModelKind.Face || (preset?.UnitLength ?? false),
            Output = output,
        };
        return (manifest, fixedBatch);
    }

    private static (ModelManifest Manifest, int FixedBatch) Detector(
        AddRequest request, string name, Preset preset, ModelConfig? config, GraphFacts facts, StagedModel staging)
    {
        using var run = new TrialRun(request.File);
        var spec = InputChoice.Choose(request, preset, config, facts, run.Inputs);
        var fixedBatch = Math.Max(run.Inputs[0].Shape[0], 0);
        var batch = Math.Max(fixedBatch, 1);
        var outputs = run.Sizes(Images(spec, batch), [batch, spec.Channels, spec.Height, spec.Width]);
        staging.Copy(request.File, facts.DataFiles);
        var detector = preset.Detector!;
        // A larger input of the same family finds larger faces; the smallest stay the same.
        var larger = (double)Math.Min(spec.Width, spec.Height) / Math.Min(preset.Input.Width, preset.Input.Height);
        return (Manifest(name, ModelKind.Detector, spec, staging) with
        {
            Detector = detector with
            {
                Outputs = DetectorMatcher.Find(request.File, preset, outputs),
                MaxFace = Math.Max(detector.MinFace, (int)(detector.MaxFace * larger)),
            },
        }, fixedBatch);
    }

    private static ModelManifest Manifest(string name, ModelKind kind, InputSpec input, StagedModel staging) => new()
    {
        Name = name,
        Kind = kind,
        Input = kind == ModelKind.Detector ? input : input.WithDecode(),
        Sha256 = ModelFile.Sha256(staging.File),
        DataSha256 = ModelFile.DataSha256(staging.File, ModelFile.DataFiles(staging.File)),
    };

    // Copies the model, or writes one that outputs the chosen tensor. The output name is empty if the graph has only one.
    private static (InputSpec Spec, string Output) Stage(
        AddRequest request, Preset? preset, ModelConfig? config, GraphFacts facts, StagedModel staging)
    {
        using var whole = new TrialRun(request.File);
        if (request.Output is not { } wanted)
        {
            // First the output: a detector must not be refused for its missing color order.
            var chosen = OutputSelector.Select(request.File, facts.Model.Graph, whole.Outputs);
            var spec = InputChoice.Choose(request, preset, config, facts, whole.Inputs);
            if (whole.Outputs.First(output => output.Name == chosen).Shape is [_, _, not 1, _] or [_, _, _, not 1])
            {
                StageInner(request, facts, spec, chosen, staging);
                return (spec, "");
            }
            staging.Copy(request.File, facts.DataFiles);
            return (spec, whole.Outputs.Count == 1 ? "" : chosen);
        }
        var input = InputChoice.Choose(request, preset, config, facts, whole.Inputs);
        if (whole.Outputs.FirstOrDefault(output => output.Name == wanted) is { Shape.Count: 2, IsFloat: true })
        {
            staging.Copy(request.File, facts.DataFiles);
            return (input, whole.Outputs.Count == 1 ? "" : wanted);
        }
        StageInner(request, facts, input, wanted, staging);
        return (input, "");
    }

    private static void StageInner(
        AddRequest request, GraphFacts facts, InputSpec spec, string tensor, StagedModel staging)
    {
        try
        {
            staging.Copy(request.File, facts.DataFiles);
            // The declared shape of an inner tensor is unreliable, so a run determines it.
            OnnxFile.Save(InnerOutput.Choose(facts.Model, tensor, pool: false), staging.File);
            var shape = Shape(staging.File, spec, "");
            if (shape is [_, _, _, _] && shape[2] * shape[3] > 1)
            {
                OnnxFile.Save(InnerOutput.Choose(facts.Model, tensor, pool: true), staging.File);
            }
            else if (shape.Length is not (2 or 4))
            {
                throw new ModelException(request.File, $"Tensor '{tensor}' must have rank 2, or rank 4 to be pooled; "
                    + $"got shape [{string.Join(", ", shape)}].");
            }
        }
        catch (ArgumentException e)
        {
            throw new ModelException(request.File, e.Message.Split(" (Parameter")[0], e);
        }
    }

    private static (int Dimension, int FixedBatch) Measure(string file, InputSpec spec, string output)
    {
        var shape = Shape(file, spec, output, out var batch, out var isFixed);
        var values = shape.Aggregate(1L, (product, size) => product * size);
        return values > 0 && values % batch == 0 && values / batch <= 65_536
            ? ((int)(values / batch), isFixed ? batch : 0)
            : throw new ModelException(file, $"The output must be one vector per image; got shape "
                + $"[{string.Join(", ", shape)}] for a batch of {batch}.");
    }

    private static long[] Shape(string file, InputSpec spec, string output) => Shape(file, spec, output, out _, out _);

    private static long[] Shape(string file, InputSpec spec, string output, out int batch, out bool isFixed)
    {
        using var run = new TrialRun(file);
        isFixed = run.Inputs[0].Shape[0] > 0;
        batch = isFixed ? run.Inputs[0].Shape[0] : 1;
        long[] shape = [batch, spec.Channels, spec.Height, spec.Width];
        return run.Run(Images(spec, batch), shape, output.Length > 0 ? output : run.Outputs[0].Name).Shape;
    }

    private static float[] Images(InputSpec spec, int count)
    {
        var images = new float[count * spec.TensorLength];
        for (var i = 0; i < count; i++)
        {
            ProbeImage.Draw(images.AsSpan(i * spec.TensorLength, spec.TensorLength), spec, i);
        }
        return images;
    }
}
