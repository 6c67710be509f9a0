using Embeddings.Core;
using Embeddings.Core.Models;
using Embeddings.Primitives;
using Embeddings.Testing;
using Embeddings.Testing.Models;
using Embeddings.Tooling.Onnx;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Embeddings.Core.Tests.Models;

public sealed class ModelCatalogTests
{
    [Fact]
    public void Missing_default_models_are_one_line_with_instructions()
    {
        var folder = Directory.CreateTempSubdirectory("embeddings-none-").FullName;
        foreach (var missing in (string[])[folder, Path.Combine(folder, "none")])
        {
            var message = Assert.Throws<ModelException>(() => ModelCatalog.DefaultManifests(missing)).Message;
            Assert.Contains(missing, message, StringComparison.Ordinal);
            Assert.Contains("./build.sh models", message, StringComparison.Ordinal);
            Assert.Contains("--models none", message, StringComparison.Ordinal);
            Assert.DoesNotContain('\n', message);
        }
        Directory.Delete(folder);
    }

    [Fact]
    public void A_manifest_without_its_model_file_fails_the_start()
    {
        using var models = new TemporaryModels();
        var path = models.Save(TemporaryModels.ChannelMeans(4, 4), TemporaryModels.Manifest(4, 4, 3));
        File.Delete(path);
        var message = Assert.Throws<ModelException>(() => Create(models.Folder, new EventTexts())).Message;
        Assert.StartsWith("test.json: ", message, StringComparison.Ordinal);
        Assert.Contains("'test.onnx' does not exist", message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_model_file_without_a_manifest_and_a_folder_without_models_are_reported()
    {
        using var models = new TemporaryModels();
        models.Save(TemporaryModels.ChannelMeans(4, 4), TemporaryModels.Manifest(4, 4, 3));
        var half = models.Save(TemporaryModels.ChannelMeans(4, 4), TemporaryModels.Manifest(4, 4, 3, "half"));
        File.Delete(Path.ChangeExtension(half, ".json"));
        // Not a manifest, and not reported.
        File.WriteAllText(Path.Combine(models.Folder, "tokenizer.json"), """{"kind": "tokenizer"}""");
        var events = new EventTexts();
        using (var catalog = Create(models.Folder, events))
        {
            Assert.Equal("test", Assert.Single(catalog.All).Name);
        }
        Assert.Contains(half, Assert.Single(events.Of("ModelIgnored")), StringComparison.Ordinal);
        Assert.Empty(events.Of("NoModels"));

        using var empty = new TempFolder();
        using var none = Create(empty.Path, events);
        Assert.Contains(empty.Path, Assert.Single(events.Of("NoModels")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Missing_external_weights_fail_the_start_of_a_model_that_is_loaded_later_too(bool lazy)
    {
        using var models = new TemporaryModels();
        models.Save(TemporaryModels.ChannelMeans(4, 4), TemporaryModels.Manifest(4, 4, 3));
        var graph = new GraphBuilder("external");
        var input = graph.Input("input", TemporaryModels.Float, 0, 3, 4, 4);
        var weights = new TensorProto { Name = "weights", DataType = (int)TemporaryModels.Float, DataLocation = TensorProto.Types.DataLocation.External };
        weights.Dims.Add(3);
        weights.ExternalData.Add(new StringStringEntryProto { Key = "location", Value = "weights.data" });
        graph.Initializer(weights);
        graph.Node("Mul", [graph.Node("Flatten", [graph.Node("GlobalAveragePool", [input])]), "weights"], ["output"]);
        graph.Output("output", TemporaryModels.Float, 0, 3);
        models.Save(graph.Build(), TemporaryModels.Manifest(4, 4, 3, "without"));
        var message = Assert.Throws<ModelException>(() => Create(models.Folder, new EventTexts(), lazy)).Message;
        Assert.Equal("without.onnx: its external weight file 'weights.data' does not exist", message);
    }

    [Fact]
    public void Each_kind_has_its_default_and_a_model_of_another_kind_is_refused_by_field()
    {
        using var models = new TemporaryModels();
        var input = new InputSpec { Width = 8, Height = 8 };
        FixedOutput[] outputs = [new("scores", [0.5f], 1), new("boxes", [0, 0, 1, 1], 4)];
        foreach (var name in (string[])["detector-a", "detector-b"])
        {
            models.Save(FixedOutputs.Graph(input, outputs), FixedOutputs.Manifest(ModelKind.Detector, input, name) with { Detector = Corners() });
        }
        models.Save(
            FixedOutputs.Graph(input, [new("classes", [1, 2], 2)]),
            FixedOutputs.Manifest(ModelKind.Liveness, input, "liveness") with { Liveness = new() { LiveClass = 0 } });
        models.Save(TemporaryModels.ChannelMeans(4, 4), TemporaryModels.Manifest(4, 4, 3));
        using var catalog = Create(models.Folder, new EventTexts());
        Assert.Equal("detector-a", catalog.Get("", ModelKind.Detector).Name);
        Assert.Equal("detector-b", catalog.Get("detector-b", ModelKind.Detector).Name);
        Assert.Equal("liveness", catalog.DefaultOf(ModelKind.Liveness)!.Name);
        Assert.Null(catalog.DefaultOf(ModelKind.Pose));
        Assert.Equal(0, catalog.Get("detector-a", ModelKind.Detector).Info.Dimension);

        var missing = Assert.Throws<Fault>(() => catalog.Get("", ModelKind.Pose));
        Assert.Equal((FaultKind.NotFound, "There is no pose model; set Models:UseOptional=true, or add one to Models:Directories."), (missing.Kind, missing.Message));
        var wrong = Assert.Throws<Fault>(() => catalog.Get("test", ModelKind.Detector, "options.detector"));
        Assert.Equal(
            (Reasons.ModelKindMismatch, "options.detector", "options.detector must be a detector; 'test' is an image model."),
            (wrong.Reason, wrong.Field, wrong.Message));
        var unknown = Assert.Throws<Fault>(() => catalog.Get("none", ModelKind.Detector, "options.detector"));
        Assert.StartsWith("options.detector must be one of detector-a, ", unknown.Message, StringComparison.Ordinal);
        Assert.Equal("model must be an image model or a face model; 'liveness' is a liveness model.", Assert.Throws<Fault>(() => catalog.FindEmbedding("liveness")).Message);
    }

    [Fact]
    public void A_detector_is_loaded_later_evicted_and_reloaded_like_other_models()
    {
        using var models = new TemporaryModels();
        var input = new InputSpec { Width = 8, Height = 8 };
        ModelManifest Named(string name, float nms) =>
            FixedOutputs.Manifest(ModelKind.Detector, input, name) with { Detector = Corners() with { Nms = nms } };
        FixedOutput[] outputs = [new("scores", [0.5f], 1), new("boxes", [0, 0, 1, 1], 4)];
        models.Save(FixedOutputs.Graph(input, outputs), Named("first", 0.4f));
        models.Save(FixedOutputs.Graph(input, outputs), Named("second", 0.4f));
        using var catalog = Create(models.Folder, new EventTexts(), lazy: true);
        var second = catalog.Find("second");
        Assert.Null(second.Session);
        second.Load();
        var before = second.Info.Fingerprint;
        models.Save(FixedOutputs.Graph(input, outputs), Named("second", 0.5f));
        second.Reload();
        Assert.Equal(0.5f, second.Manifest.Detector!.Nms);
        Assert.NotEqual(before, second.Info.Fingerprint);
        Assert.True(second.TryUnload());
        Assert.Null(second.Session);
    }

    private static DetectorSpec Corners() => new()
    {
        Boxes = BoxCoding.Corners,
        Outputs = new() { Scores = ["scores"], Boxes = ["boxes"] },
        Nms = 0.4f,
        MinConfidence = 0.5f,
        MinFace = 1,
        MaxFace = 8,
    };

    private static ModelCatalog Create(string folder, EventTexts events, bool lazy = false) => new(
        new() { Models = new() { UseDefaults = false, Directories = [folder], Lazy = lazy } },
        new ServiceCollection().AddMetrics().AddSingleton<EmbeddingMetrics>().BuildServiceProvider().GetRequiredService<EmbeddingMetrics>(),
        TimeProvider.System,
        events);

    /// <summary>Texts of the events by their names.</summary>
    private sealed class EventTexts : ILogger<ModelCatalog>
    {
        private readonly List<(string? Name, string Text)> _events = [];

        public IEnumerable<string> Of(string name) => _events.Where(item => item.Name == name).Select(item => item.Text);

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            lock (_events)
            {
                _events.Add((eventId.Name, formatter(state, exception)));
            }
        }
    }
}
