using System.Text.Json;
using Embeddings.Cli;
using Embeddings.Client;
using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.Testing;
using Embeddings.Tooling;
using Embeddings.Tooling.Migrating;
using Embeddings.V1;
using Grpc.Core;

namespace Embeddings.IntegrationTests;

/// <summary>An alias moves to a collection of another model, while it is written and read.</summary>
public sealed class MigrationTests : IDisposable
{
    private const string Alias = "people";
    private const string Old = "people-1";
    private const string Next = "next";
    private const int Pictures = 64;

    private readonly TempFolder _pictures = new();
    private readonly ModelFolder _models = new ModelFolder().Add(Items.FaceModel, Next, 64);
    private readonly byte[][] _files = [.. Enumerable.Range(0, Pictures).Select(i => TestImages.Png(i, 112, 112))];

    public MigrationTests()
    {
        foreach (var (i, file) in _files.Index())
        {
            File.WriteAllBytes(Path.Combine(_pictures.Path, $"{i}.png"), file);
        }
    }

    public static TheoryData<string> Stores => ["embedded", "real Qdrant"];

    public void Dispose()
    {
        _models.Dispose();
        _pictures.Dispose();
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task Twenty_thousand_points_get_vectors_of_another_model_while_others_write_and_read(string kind)
    {
        const int Count = 20_000;
        await using var started = await StartedStore.StartAsync(kind, null, _models.Argument);
        var api = started.Server.Api;
        await FillAsync(api, Count);

        using var stop = new CancellationTokenSource();
        var (written, deleted) = (new HashSet<string>(), new HashSet<string>());
        var collections = new List<string>();
        var writing = Task.Run(async () =>
        {
            for (var i = 0; !stop.IsCancellationRequested; i++)
            {
                var request = new IngestFaceRequest { Item = Item($"w{i}", i), Collection = Alias };
                written.Add((await api.Ingest.IngestFaceAsync(request).Bound()).Ack.PointId);
                if (i % 10 == 9)
                {
                    // One of those that are there from the start, and one that was written a while before: one that is deleted at the
                    // moment of the switch, right after it was written, may come back.
                    string[] gone = i < 300 ? [$"{i}-0"] : [$"{i}-0", $"w{i - 295}-0"];
                    await api.Vectors.DeleteVectorsAsync(new() { Collection = Alias, PointIds = { gone } }).Bound();
                    deleted.UnionWith(gone);
                }
                await Task.Delay(5);
            }
        });
        var reading = Task.Run(async () =>
        {
            for (var i = 0; !stop.IsCancellationRequested; i++)
            {
                var request = new SearchVectorsRequest { Collection = Alias, Queries = { new SearchQuery { Face = Face(i) } }, Limit = 5 };
                Assert.Equal(5, (await api.Vectors.SearchVectorsAsync(request).Bound()).Results[0].Points.Count);
                collections.Add((await api.Vectors.GetCollectionAsync(new() { Collection = Alias }).Bound()).Collection.Name);
                await Task.Delay(5);
            }
        });
        var (result, failures) = await MigrateAsync(started.Server.Address, new(Alias, Next, "", AllowMissing: false, Sample: 100));
        Assert.Empty(failures);
        Assert.Equal((Old, "people-next"), (result.From, result.To));
        // The next call sees the switch.
        Assert.Equal(result.To, (await api.Vectors.GetCollectionAsync(new() { Collection = Alias }).Bound()).Collection.Name);
        var (writtenThen, readThen) = (written.Count, collections.Count);
        await Bounds.UntilAsync(() => written.Count > writtenThen + 20 && collections.Count > readThen + 5);
        await stop.CancelAsync();
        await writing.Bound();
        await reading.Bound();

        // Once seen, the new collection stays.
        Assert.Equal(result.To, collections[^1]);
        Assert.Equal(collections.Count, collections.FindLastIndex(name => name == Old) + 1 + collections.Count(name => name == result.To));
        var stored = await ListAsync(api, result.To);
        var expected = Enumerable.Range(0, Count).Select(i => $"{i}-0").Concat(written).Except(deleted).ToHashSet();
        Assert.Equal(expected.Count, stored.Count);
        Assert.Superset(expected, stored.Keys.ToHashSet());
        Assert.InRange(result.Neighbors!.Value, 0, 1);

        // Each has the vector that the new model gives to its picture.
        var vectors = new List<float[]>();
        for (var i = 0; i < Pictures; i++)
        {
            var embedded = await api.Embedding.EmbedFaceAsync(new() { Face = Face(i), Model = Next }).Bound();
            vectors.Add([.. embedded.Embedding.Values]);
        }
        Assert.All(stored, entry => Assert.InRange(
            Items.Distance(vectors[int.Parse(entry.Value.Payload.MediaStoreId)], entry.Value.Vector), 0, 1e-5));
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task An_interrupted_migration_continues_and_replaced_points_and_holds_are_kept(string kind)
    {
        const int Count = 2000;
        await using var started = await StartedStore.StartAsync(kind, null, _models.Argument);
        var api = started.Server.Api;
        await FillAsync(api, Count);
        await api.Vectors.SetLegalHoldAsync(new() { Collection = Old, PointIds = { "5-0", "6-0" }, Hold = true }).Bound();
        var settings = new MigrationSettings(Alias, Next, "people-2", AllowMissing: false, Sample: 0) { PageTime = TimeSpan.Zero };
        using var stop = new CancellationTokenSource();
        var copied = 0L;
        var progress = new Steps(step =>
        {
            copied = step.Copied;
            if (copied >= Count / 2)
            {
                stop.Cancel();
            }
        });
        await Assert.ThrowsAnyAsync<Exception>(() => MigrateAsync(started.Server.Address, settings, progress, stop.Token));
        Assert.InRange(copied, Count / 2, Count - 1);
        Assert.Equal(Old, (await api.Vectors.GetCollectionAsync(new() { Collection = Alias }).Bound()).Collection.Name);

        // Replaced, and deleted, in between.
        string[] ids = [.. (await ListAsync(api, "people-2")).Keys.Where(id => id is not ("5-0" or "6-0")).Take(2)];
        await api.Ingest.IngestFaceAsync(new() { Item = Item(ids[0].Split('-')[0], 33), Collection = Alias }).Bound();
        await api.Vectors.DeleteVectorsAsync(new() { Collection = Alias, PointIds = { ids[1] } }).Bound();
        var (result, _) = await MigrateAsync(started.Server.Address, settings);
        Assert.Equal(Count - copied + 1, result.Copied);
        Assert.Equal(1, result.Deleted);
        var stored = await ListAsync(api, Alias);
        Assert.Equal(Count - 1, stored.Count);
        Assert.Equal("33", stored[ids[0]].Payload.MediaStoreId);
        var embedded = await api.Embedding.EmbedFaceAsync(new() { Face = Face(33), Model = Next }).Bound();
        Assert.InRange(Items.Distance(embedded.Embedding.Values, stored[ids[0]].Vector), 0, 1e-5);
        Assert.Equal(["5-0", "6-0"], stored.Values.Where(point => point.OnHold).Select(point => point.PointId).Order());
    }

    [TrainedModelsFact(NeedsMaterial = true)]
    public async Task Faces_of_photos_are_found_again_by_the_command()
    {
        await using var server = await TestServer.StartPlainAsync(_models.Argument, "--Models:DefaultFace=mobilefacenet");
        var (api, photos) = (server.Api, RealPhotos.Read());
        var folder = Path.GetDirectoryName(photos[0].Path)!;
        var extension = Path.GetExtension(photos[0].Path);
        Assert.All(photos, photo => Assert.Equal(Path.Combine(folder, photo.JobId + extension), photo.Path));
        var stored = await api.Ingest.StreamIngest().ExchangeAsync(photos.Select(photo => RealPhotos.Ingest(photo, Old)));
        Assert.All(stored, answer => Assert.Single(answer.PhotoAck.Faces));
        await api.Vectors.UpdateAliasesAsync(new() { Set = { new Alias { Alias_ = Alias, Collection = Old } } }).Bound();
        using var output = new StringWriter();
        using var error = new StringWriter();
        string[] arguments =
        [
            "migrate", "-c", Alias, "-m", Next, "-s", Path.Combine(folder, "{media_store_id}" + extension), "--photos", "--json",
            "--address", server.Address,
        ];
        var code = await EmbeddingsCommand.RunAsync(arguments, output, error);
        Assert.True(code == 0, error.ToString());
        using var result = JsonDocument.Parse(output.ToString());
        Assert.Equal(photos.Count, result.RootElement.GetProperty("copied").GetInt32());
        var points = await ListAsync(api, Alias);
        Assert.Equal(photos.Count, points.Count);
        foreach (var photo in photos)
        {
            var found = await api.Faces.EmbedFacesAsync(new() { Photo = photo.Image, Model = Next }).Bound();
            var face = found.Faces.MaxBy(face => photo.Overlap(face.Face.Bbox))!;
            Assert.InRange(Items.Distance(face.Embedding.Values, points[$"{photo.JobId}-0"].Vector), 0, 1e-5);
        }
    }

    [Fact]
    public async Task Without_all_sources_the_alias_stays()
    {
        await using var started = await StartedStore.StartAsync("embedded", null, _models.Argument);
        var api = started.Server.Api;
        await FillAsync(api, 100);
        File.Delete(Path.Combine(_pictures.Path, "7.png"));
        await api.Ingest.IngestFaceAsync(new() { Item = Item("out", 0, "../64"), Collection = Alias }).Bound();
        var settings = new MigrationSettings(Alias, Next, "", AllowMissing: false, Sample: 10);
        var error = await Assert.ThrowsAsync<ToolException>(() => MigrateAsync(started.Server.Address, settings));
        Assert.StartsWith("3 points have no new vector", error.Message);
        Assert.Equal(Old, (await api.Vectors.GetCollectionAsync(new() { Collection = Alias }).Bound()).Collection.Name);

        var (result, failures) = await MigrateAsync(started.Server.Address, settings with { AllowMissing = true });
        Assert.Equal(["7-0", "71-0", "out-0"], failures.Select(failure => failure.PointId).Order(StringComparer.Ordinal));
        Assert.Equal(98, (await ListAsync(api, result.To)).Count);
        Assert.Equal(result.To, (await api.Vectors.GetCollectionAsync(new() { Collection = Alias }).Bound()).Collection.Name);
    }

    [Fact]
    public async Task What_cannot_be_migrated_is_refused_before_anything_changes()
    {
        await using var started = await StartedStore.StartAsync("embedded", null, _models.Argument);
        var api = started.Server.Api;
        await FillAsync(api, 10);
        await FailsAsync(new(Old, Next, "", false, 0), "must be an alias");
        await FailsAsync(new(Alias, Items.FaceModel, "", false, 0), "already");
        await api.Vectors.CreateCollectionAsync(new() { Collection = "taken", Dimension = 7 }).Bound();
        await FailsAsync(new(Alias, Next, "taken", false, 0), "'taken' exists");
        await FailsAsync(new(Alias, Next, Alias, false, 0), "exists");
        Assert.Throws<ToolException>(() => SourcePattern.Parse("{unknown}.png"));
        Assert.Throws<ToolException>(() => SourcePattern.Parse("fixed.png"));
        Assert.Throws<ToolException>(() => SourcePattern.Parse("{media_store_id.png"));

        async Task FailsAsync(MigrationSettings settings, string text)
        {
            var error = await Assert.ThrowsAsync<ToolException>(() => MigrateAsync(started.Server.Address, settings));
            Assert.Contains(text, error.Message);
        }
    }

    private async Task<(MigrationResult Result, IReadOnlyCollection<PointFailure> Failures)> MigrateAsync(
        string address, MigrationSettings settings, IProgress<MigrationProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        using var client = new EmbeddingsClient(new EmbeddingsClientOptions { Addresses = [address] });
        var source = SourcePattern.Parse(Path.Combine(_pictures.Path, "{media_store_id}.png"));
        var embedder = new SourceEmbedder(client, settings.Model, isFace: true, source, arePhotos: false, 1 << 20);
        var migration = new Migration(client, embedder, settings, TimeProvider.System);
        return (await migration.RunAsync(progress ?? new Steps(static _ => { }), cancellationToken), migration.Failures);
    }

    private async Task FillAsync(Api api, int count)
    {
        var requests = Enumerable.Range(0, count).Select(i => new StreamIngestRequest
        {
            ItemId = $"{i}",
            Collection = Old,
            Model = Items.FaceModel,
            Face = Item($"{i}", i),
        });
        var answers = await api.Ingest.StreamIngest().ExchangeAsync(requests);
        Assert.All(answers, answer => Assert.NotNull(answer.Ack));
        await api.Vectors.UpdateAliasesAsync(new() { Set = { new Alias { Alias_ = Alias, Collection = Old } } }).Bound();
    }

    private FaceItem Item(string job, int picture, string? media = null) =>
        new() { JobId = job, MediaStoreId = media ?? $"{picture % Pictures}", Face = Face(picture) };

    private FaceCrop Face(int picture) => new() { Image = TestImages.Encoded(_files[picture % Pictures]), Aligned = true };

    private static async Task<Dictionary<string, VectorPoint>> ListAsync(Api api, string collection)
    {
        var points = new Dictionary<string, VectorPoint>();
        var request = new ListVectorsRequest { Collection = collection, PageSize = 1000, WithVectors = true };
        do
        {
            var page = await api.Vectors.ListVectorsAsync(request).Bound();
            foreach (var point in page.Points)
            {
                points.Add(point.PointId, point);
            }
            request.PageToken = page.NextPageToken;
        }
        while (request.PageToken.Length > 0);
        return points;
    }

    private sealed class Steps(Action<MigrationProgress> report) : IProgress<MigrationProgress>
    {
        public void Report(MigrationProgress value) => report(value);
    }
}
