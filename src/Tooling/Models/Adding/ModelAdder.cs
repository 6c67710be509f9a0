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
/// <item>reads the graph, and refuses models that are not embedding models;</item>
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
        var (spec, output) = Stage(request, preset, config, facts, staging);

        var (dimension, fixedBatch) = Measure(staging.File, spec, output);
        // The libraries that write configuration files are for whole images.
        var kind = request.Kind ?? preset?.Kind ?? ModelKind.Image;
        var manifest = new ModelManifest
        {
            Name = name,
            Kind = kind,
            Input = spec,
            Dimension = dimension,
            UnitLength = kind == ModelKind.Face || (preset?.UnitLength ?? false),
            MaxBatch = fixedBatch > 0 ? fixedBatch : facts.DynamicallyQuantized ? 1 : request.MaxBatch ?? 32,
            Output = output,
            Licence = request.Licence ?? "",
            Sha256 = ModelFile.Sha256(staging.File),
            DataSha256 = ModelFile.DataSha256(staging.File, ModelFile.DataFiles(staging.File)),
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
        var images = new float[batch * spec.TensorLength];
        for (var i = 0; i < batch; i++)
        {
            ProbeImage.Draw(images.AsSpan(i * spec.TensorLength, spec.TensorLength), spec, i);
        }
        return run.Run(images, [batch, 3, spec.Height, spec.Width], output.Length > 0 ? output : run.Outputs[0].Name).Shape;
    }
}
