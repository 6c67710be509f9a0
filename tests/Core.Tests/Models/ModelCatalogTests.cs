using Embeddings.Core;
using Embeddings.Core.Models;
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
