using System.Text.Json.Nodes;
using Embeddings.Core.Inference;
using Embeddings.Core.Models;
using Embeddings.Testing;
using Embeddings.Testing.Models;
using Embeddings.TestModels;
using Microsoft.Extensions.Logging.Abstractions;

namespace Embeddings.Core.Tests.Models;

/// <summary>Tests of the cache entries of models, which the next start uses.</summary>
public sealed class ModelCacheTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly TempFolder _models = new();

    public static TheoryData<string> Names => new(Descriptor.ImageModel, Descriptor.FaceModel);

    public void Dispose()
    {
        _folder.Dispose();
        _models.Dispose();
    }

    [Theory]
    [MemberData(nameof(Names))]
    public Task A_second_load_gives_the_same_bits_without_test_runs(string name) => AssertSameBitsAsync(Descriptor.PathOf(name));

    [TrainedModelsFact]
    public async Task The_default_models_give_the_same_bits_the_second_time()
    {
        foreach (var name in (string[])["resnet18", "mobilefacenet", "ultraface", "landmarks68", "optional/pose", "optional/liveness"])
        {
            await AssertSameBitsAsync(TrainedModels.PathOf(name));
        }
    }

    [Fact]
    public async Task By_default_the_files_are_beside_the_model()
    {
        var path = Copy(Descriptor.FaceModel);
        using (await LoadAsync(path, new()))
        {
        }
        var kept = Path.Combine(_models.Path, ".cache", $"{Descriptor.FaceModel}.json");
        Assert.True(File.Exists(kept));
        using var again = await LoadAsync(path, new());
        Assert.NotNull(again.Cache!.Graph);
        Assert.Equal(Path.GetDirectoryName(kept), Path.GetDirectoryName(again.Cache.Graph));
    }

    [Fact]
    public async Task Without_a_cache_nothing_is_written()
    {
        var path = Copy(Descriptor.FaceModel);
        using var model = await LoadAsync(path, new() { UseCache = false });
        Assert.Null(model.Cache);
        Assert.Equal(2, Directory.EnumerateFileSystemEntries(_models.Path).Count());
    }

    [Theory]
    [InlineData("entry", "")]
    [InlineData("entry", "not JSON")]
    [InlineData("entry", "null")]
    [InlineData("entry", "[]")]
    [InlineData("entry", """{"key": 1}""")]
    [InlineData("graph", "")]
    [InlineData("graph", "not a graph")]
    [InlineData("data", "others' weights")]
    public async Task A_damaged_file_is_not_used_and_is_replaced(string file, string content)
    {
        var path = Copy(Descriptor.FaceModel);
        var expected = await RunAsync(path);
        File.WriteAllText(PathOf(file), content);
        using (var model = await LoadAsync(path, Options))
        {
            Assert.Equal(expected, Batches.Run(model, 0, 4));
        }
        using var again = await LoadAsync(path, Options);
        Assert.True(again.Cache!.IsIntact());
        Assert.Equal(expected, Batches.Run(again, 0, 4));
    }

    [Theory]
    [InlineData("graph")]
    [InlineData("data")]
    [InlineData("entry")]
    public async Task A_missing_file_is_made_again(string file)
    {
        var path = Copy(Descriptor.FaceModel);
        var expected = await RunAsync(path);
        File.Delete(PathOf(file));
        Assert.Equal(expected, await RunAsync(path));
        Assert.True(File.Exists(PathOf(file)));
    }

    [Fact]
    public async Task A_graph_of_another_model_is_not_used_even_with_its_own_checksum()
    {
        var (face, image) = (Copy(Descriptor.FaceModel), Copy(Descriptor.ImageModel));
        var expected = await RunAsync(face);
        await RunAsync(image);
        // Names a graph that is intact, but does not fit the key.
        File.Copy(Entry(Descriptor.ImageModel), Entry(Descriptor.FaceModel), overwrite: true);
        using (var model = await LoadAsync(face, Options))
        {
            Assert.Equal(expected, Batches.Run(model, 0, 4));
        }
        // The same with the key of the model: the input of the graph does not fit.
        var entry = JsonNode.Parse(File.ReadAllText(Entry(Descriptor.FaceModel)))!;
        var other = JsonNode.Parse(File.ReadAllText(Entry(Descriptor.ImageModel)))!;
        other["key"] = entry["key"]!.GetValue<string>();
        other["model"]!["max_batch"] = 1_000_000;
        File.WriteAllText(Entry(Descriptor.FaceModel), other.ToJsonString());
        using var last = await LoadAsync(face, Options);
        Assert.Equal(expected, Batches.Run(last, 0, 4));
    }

    [Theory]
    [InlineData("../outside")]
    [InlineData("/etc/passwd")]
    public async Task A_graph_outside_the_folder_is_not_read(string graph)
    {
        var path = Copy(Descriptor.FaceModel);
        await RunAsync(path);
        var entry = JsonNode.Parse(File.ReadAllText(Entry(Descriptor.FaceModel)))!;
        entry["graph"] = graph;
        File.WriteAllText(Entry(Descriptor.FaceModel), entry.ToJsonString());
        Assert.Null(new ModelCache(Options, TimeProvider.System, NullLogger.Instance).Open(path, ManifestFile.Read(Manifest(path)), new())!.Graph);
    }

    [Fact]
    public void The_key_depends_on_model_settings_and_processor()
    {
        var manifest = TemporaryModels.Manifest(4, 4, 3);
        string[] keys =
        [
            CacheKey.Of(manifest, new()),
            CacheKey.Of(manifest with { Sha256 = new string('1', 64) }, new()),
            CacheKey.Of(manifest with { MaxBatch = 2 }, new()),
            CacheKey.Of(manifest, new() { IntraOpThreads = 2 }),
            CacheKey.Of(manifest, new() { Sessions = 2 }),
            CacheKey.Of(manifest, new() { InterOpThreads = 2 }),
            CacheKey.Of(manifest, new() { ProbeBatch = 2 }),
            CacheKey.Of(manifest, new() { Spinning = false }),
            CacheKey.Of(manifest, new() { BatchBuckets = true }),
            CacheKey.Of(manifest, new() { Provider = ExecutionProvider.Cuda }),
            CacheKey.Of(manifest, new(), "another processor"),
        ];
        Assert.Equal(keys.Length, keys.Distinct().Count());
        Assert.Equal(keys[0], CacheKey.Of(manifest with { Description = "changed" }, new()));
        Assert.Equal(keys[0], CacheKey.Of(manifest, new()));
    }

    [Fact]
    public async Task Other_settings_are_not_served_from_the_cache()
    {
        var path = Copy(Descriptor.FaceModel);
        await RunAsync(path);
        var cache = new ModelCache(Options, TimeProvider.System, NullLogger.Instance);
        Assert.NotNull(cache.Open(path, ManifestFile.Read(Manifest(path)), new())!.Graph);
        Assert.Null(cache.Open(path, ManifestFile.Read(Manifest(path)), new() { IntraOpThreads = 3 })!.Graph);
    }

    [Fact]
    public async Task The_batch_size_is_kept_and_the_next_start_needs_no_trial()
    {
        var path = Copy(Descriptor.FaceModel);
        using (var first = await LoadAsync(path, Options))
        {
            Assert.Equal(0, first.Cache!.BatchSize);
            first.Cache.SetBatchSize(4);
        }
        using var second = await LoadAsync(path, Options);
        Assert.Equal(4, second.Cache!.BatchSize);
        // The graph was not lost.
        Assert.NotNull(second.Cache.Graph);
        using var runner = new Core.Batching.BatchRunner(
            second, new(), Batching.FakeSession.Metrics(), TimeProvider.System, NullLogger.Instance, second.Cache.BatchSize);
        Assert.Equal((4, false), (runner.Queue.BatchSize, runner.Trials.AreWanted));
    }

    [Fact]
    public async Task Servers_that_start_together_leave_one_complete_entry()
    {
        var path = Copy(Descriptor.FaceModel);
        var expected = await RunAsync(path, new() { UseCache = false });
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(async () => Assert.Equal(expected, await RunAsync(path)))));
        using var model = await LoadAsync(path, Options);
        Assert.NotNull(model.Cache!.Graph);
        Assert.Equal(expected, Batches.Run(model, 0, 4));
    }

    [Fact]
    public async Task What_nobody_uses_any_more_is_deleted_after_a_while()
    {
        var path = Copy(Descriptor.FaceModel);
        var old = _folder.Write($"{Descriptor.FaceModel}-old.onnx", "");
        var recent = _folder.Write($"{Descriptor.FaceModel}-new.onnx", "");
        var other = _folder.Write("other-old.onnx", "");
        foreach (var file in (string[])[old, other])
        {
            File.SetLastWriteTimeUtc(file, TimeProvider.System.GetUtcNow().UtcDateTime - TimeSpan.FromHours(1));
        }
        await RunAsync(path);
        Assert.Equal((false, true, true), (File.Exists(old), File.Exists(recent), File.Exists(other)));
    }

    [Fact]
    public async Task A_folder_that_cannot_be_written_is_reported_once_and_the_model_is_served()
    {
        var path = Copy(Descriptor.FaceModel);
        // A file in the place of the folder: permissions do not bind a superuser.
        var blocked = _folder.Write("file", "");
        var events = new LogEvents();
        var cache = new ModelCache(new() { CacheFolder = blocked }, TimeProvider.System, events.Of<ModelCache>());
        for (var i = 0; i < 2; i++)
        {
            using var model = ModelLoader.Load(path, new(), cache);
            await model.Cache!.Added;
            model.Cache.SetBatchSize(4);
            Assert.Null(model.Cache.Graph);
            Assert.Equal(4, Batches.Run(model, 0, 4).Length);
        }
        await events.WaitAsync("CacheNotWritable", blocked);
    }

    [Fact]
    public void A_model_that_cannot_be_used_leaves_nothing()
    {
        using var models = new TemporaryModels();
        var path = models.Save(TemporaryModels.ChannelMeans(4, 4), TemporaryModels.Manifest(4, 4, 5));
        var cache = new ModelCache(Options, TimeProvider.System, NullLogger.Instance);
        Assert.Throws<ModelException>(() => ModelLoader.Load(path, new(), cache));
        Assert.Empty(Directory.EnumerateFiles(_folder.Path));
    }

    [Fact]
    public async Task A_changed_model_is_not_served_from_the_cache()
    {
        using var models = new TemporaryModels();
        var path = models.Save(TemporaryModels.ChannelMeans(4, 4), TemporaryModels.Manifest(4, 4, 3));
        using (await LoadAsync(path, Options))
        {
        }
        // The manifest still has the checksum of the old file.
        File.AppendAllText(path, "more");
        Assert.Contains(
            "checksum mismatch",
            (await Assert.ThrowsAsync<ModelException>(() => LoadAsync(path, Options))).Message,
            StringComparison.Ordinal);
    }

    private ModelOptions Options => new() { CacheFolder = _folder.Path };

    private static string Manifest(string path) => Path.ChangeExtension(path, ".json");

    private static async Task<EmbeddingSession> LoadAsync(string path, ModelOptions options)
    {
        var model = ModelLoader.Load(path, new(), new ModelCache(options, TimeProvider.System, NullLogger.Instance));
        await (model.Cache?.Added ?? Task.CompletedTask);
        return model;
    }

    private string Entry(string name) => _folder.File($"{name}.json");

    // Of the face model.
    private string PathOf(string file)
    {
        var entry = Entry(Descriptor.FaceModel);
        return file == "entry"
            ? entry
            : _folder.File(JsonNode.Parse(File.ReadAllText(entry))!["graph"]!.GetValue<string>() + (file == "data" ? ".data" : ""));
    }

    private string Copy(string name)
    {
        foreach (var extension in (string[])[".onnx", ".json"])
        {
            File.Copy(Path.ChangeExtension(Descriptor.PathOf(name), extension), _models.File(name + extension), overwrite: true);
        }
        return _models.File(name + ".onnx");
    }

    private async Task<float[][]> RunAsync(string path, ModelOptions? options = null)
    {
        using var model = await LoadAsync(path, options ?? Options);
        return Batches.Run(model, 0, 4);
    }

    private async Task AssertSameBitsAsync(string path)
    {
        using var plain = ModelLoader.Load(path, new());
        using (var first = await LoadAsync(path, Options))
        {
            AssertSame(plain, first);
        }
        using var second = await LoadAsync(path, Options);
        Assert.NotNull(second.Cache!.Graph);
        Assert.Equal(
            (plain.MaxBatch, plain.MultiThreadedRuns, plain.SingleThreadedRuns), (second.MaxBatch, second.MultiThreadedRuns, second.SingleThreadedRuns));
        Assert.Equal(plain.Notices, second.Notices);
        AssertSame(plain, second);
    }

    private static void AssertSame(EmbeddingSession expected, EmbeddingSession actual)
    {
        foreach (var count in (int[])[1, Math.Min(5, expected.MaxBatch)])
        {
            for (var slot = 0; slot < expected.MultiThreadedRuns + expected.SingleThreadedRuns; slot++)
            {
                // Bit by bit, in the session of every slot.
                Assert.Equal(Batches.Run(expected, slot, count), Batches.Run(actual, slot, count));
            }
        }
    }
}
