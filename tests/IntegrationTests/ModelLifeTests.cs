using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.TestModels;
using Embeddings.V1;
using Grpc.Core;

namespace Embeddings.IntegrationTests;

/// <summary>Hot reload and unloading of models while the server runs.</summary>
public sealed class ModelLifeTests
{
    private static readonly string[] Often =
    [
        "--Models:CheckEvery=00:00:00.050", "--Logging:LogLevel:Embeddings.Core=Information", "--Logging:Console:LogLevel:Default=None",
    ];

    [Fact]
    public async Task A_changed_model_is_reloaded_and_no_call_fails()
    {
        using var folder = new ModelFolder().Add(Items.FaceModel, "changing", 0);
        await using var server = await TestServer.StartAsync([folder.Argument, .. Often]);
        var before = await GetAsync(server, "changing");
        var reloaded = false;
        IEnumerable<StreamEmbedRequest> Requests()
        {
            // Calls continue until the change has been detected, and a little longer.
            for (var (i, rest) = (0, 100); rest > 0; i++)
            {
                if (i == 50)
                {
                    folder.Change("changing", 64);
                }
                rest -= Volatile.Read(ref reloaded) ? 1 : 0;
                yield return Items.EmbedFace($"{i}", TestImages.Crop(i % 8), "changing");
            }
        }
        var watching = Task.Run(async () =>
        {
            await server.Events.WaitAsync("ModelReloaded");
            Volatile.Write(ref reloaded, true);
        });
        var answers = await server.Api.Embedding.StreamEmbed().ExchangeAsync(Requests());
        await watching.Bound();
        Assert.NotEqual(before.Fingerprint, (await GetAsync(server, "changing")).Fingerprint);
        Assert.All(answers, answer => Assert.Null(answer.Error));
        Assert.Equal(Enumerable.Range(0, answers.Count).Select(i => $"{i}"), answers.Select(answer => answer.ItemId));
    }

    [Fact]
    public async Task An_invalid_change_is_ignored()
    {
        using var folder = new ModelFolder().Add(Items.FaceModel, "changing", 0);
        await using var server = await TestServer.StartAsync([folder.Argument, .. Often]);
        var before = await GetAsync(server, "changing");
        folder.Break("changing");
        await server.Events.WaitAsync("ModelNotReloaded");
        Assert.Equal(before.Fingerprint, (await GetAsync(server, "changing")).Fingerprint);
        var answers = await server.Api.Embedding.StreamEmbed().ExchangeAsync([Items.EmbedFace("a", TestImages.Crop(1), "changing")]);
        Assert.Null(Assert.Single(answers).Error);
    }

    [Fact]
    public async Task An_idle_model_is_unloaded_and_loaded_again_by_a_request()
    {
        await using var server = await TestServer.StartAsync(["--Models:IdleUnload=00:00:00.2", .. Often]);
        await UnloadedAsync(server, Items.FaceModel);
        var answers = await server.Api.Embedding.StreamEmbed().ExchangeAsync(Enumerable.Range(0, 40).Select(i => Items.EmbedFace($"{i}", TestImages.Crop(i))));
        Assert.All(answers, answer => Assert.Null(answer.Error));
        await UnloadedAsync(server, Items.FaceModel);
    }

    [Fact]
    public async Task Lazy_models_are_loaded_by_their_first_request_and_evict_each_other()
    {
        using var folder = new ModelFolder().Add(Items.FaceModel, "one", 1).Add(Items.FaceModel, "two", 2).Add(Items.FaceModel, "zero", 0);
        var bytes = new FileInfo(Descriptor.PathOf(Items.FaceModel)).Length;
        // One per session, and one for the single-threaded runs of a machine with few processors.
        var copies = Environment.ProcessorCount is > 1 and <= 8 ? 2 : (Environment.ProcessorCount + 7) / 8;
        await using var server = await TestServer.StartPlainAsync(
            folder.Argument, "--Models:Lazy=true", "--Models:UseDefaults=false", $"--Models:MaxLoadedBytes={(2 * bytes * copies) + 10}");
        async Task<string> LoadedAsync() => string.Join(' ', (await server.Api.Models.ListModelsAsync(new()).Bound()).Models.Where(model => model.Loaded).Select(model => model.Name));
        Assert.Equal("one", await LoadedAsync());
        foreach (var (model, loaded) in new[] { ("two", "one two"), ("zero", "two zero"), ("one", "one zero") })
        {
            var answers = await server.Api.Embedding.StreamEmbed().ExchangeAsync([Items.EmbedFace("a", TestImages.Crop(1), model)]);
            Assert.Null(Assert.Single(answers).Error);
            Assert.Equal(loaded, await LoadedAsync());
        }
    }

    [Fact]
    public async Task A_model_is_served_and_removed_by_calls_while_others_run()
    {
        using var folder = new ModelFolder().Add(Items.FaceModel, "first", 0);
        await using var server = await TestServer.StartAsync([folder.Argument, "--Models:Reload=false"]);
        var models = server.Api.Models;
        await models.LoadModelAsync(new() { Name = "second" }).FailsAsync(StatusCode.NotFound, "MODEL_NOT_FOUND");
        folder.Add(Items.FaceModel, "second", 64);
        var loaded = (await models.LoadModelAsync(new() { Name = "second" }).Bound()).Model;
        Assert.True(loaded.Loaded);
        Assert.False(loaded.DefaultForKind);
        Assert.Equal(loaded, await GetAsync(server, "second"));
        Assert.NotEqual((await GetAsync(server, "first")).Fingerprint, loaded.Fingerprint);

        // Items that were read before the model is unloaded have vectors; all others have the error of an unknown model.
        using var call = server.Api.Embedding.StreamEmbed();
        var answers = new List<StreamEmbedResponse>();
        for (var i = 0; i < 40; i++)
        {
            await call.RequestStream.WriteAsync(Items.EmbedFace($"{i}", TestImages.Crop(i), "second"));
            if (i == 20)
            {
                Assert.True(await call.ResponseStream.MoveNext(CancellationToken.None).Bound());
                answers.Add(call.ResponseStream.Current);
                await models.UnloadModelAsync(new() { Name = "second" }).Bound();
            }
        }
        await call.RequestStream.CompleteAsync();
        while (await call.ResponseStream.MoveNext(CancellationToken.None).Bound())
        {
            answers.Add(call.ResponseStream.Current);
        }
        Assert.Equal(Enumerable.Range(0, 40).Select(i => $"{i}"), answers.Select(answer => answer.ItemId));
        Assert.NotNull(answers[0].Embedding);
        Assert.All(answers.Where(answer => answer.Embedding is null), answer => Assert.Equal("MODEL_NOT_FOUND", answer.Error.Reason));
        Assert.All(answers.TakeLast(19), answer => Assert.NotNull(answer.Error));
        await models.GetModelAsync(new() { Name = "second" }).FailsAsync(StatusCode.NotFound, "MODEL_NOT_FOUND");
        Assert.DoesNotContain((await models.ListModelsAsync(new()).Bound()).Models, model => model.Name == "second");
        Assert.Null(Assert.Single(await server.Api.Embedding.StreamEmbed().ExchangeAsync([Items.EmbedFace("a", TestImages.Crop(1), "first")])).Error);

        // The same, changed.
        folder.Change("second", 32);
        var changed = (await models.LoadModelAsync(new() { Name = "second" }).Bound()).Model;
        Assert.NotEqual(loaded.Fingerprint, changed.Fingerprint);
        folder.Change("second", 64);
        Assert.Equal(loaded.Fingerprint, (await models.LoadModelAsync(new() { Name = "second" }).Bound()).Model.Fingerprint);
    }

    [Fact]
    public async Task Models_that_cannot_be_used_and_defaults_stay_as_they_are()
    {
        using var folder = new ModelFolder().Add(Items.FaceModel, "second", 0);
        await using var server = await TestServer.StartAsync([folder.Argument, "--Models:Reload=false", $"--Models:DefaultFace={Items.FaceModel}"]);
        var models = server.Api.Models;
        await models.UnloadModelAsync(new() { Name = Items.FaceModel }).FailsAsync(StatusCode.FailedPrecondition, "MODEL_IS_DEFAULT");
        await models.UnloadModelAsync(new() { Name = "unknown" }).FailsAsync(StatusCode.NotFound, "MODEL_NOT_FOUND");
        await models.UnloadModelAsync(new()).FailsAsync(StatusCode.InvalidArgument, "FIELD_REQUIRED");
        await models.LoadModelAsync(new() { Name = "../second" }).FailsAsync(StatusCode.NotFound, "MODEL_NOT_FOUND");
        var before = await GetAsync(server, "second");
        folder.Break("second");
        await models.LoadModelAsync(new() { Name = "second" }).FailsAsync(StatusCode.FailedPrecondition, "MODEL_INVALID");
        Assert.Equal(before, await GetAsync(server, "second"));
        await models.UnloadModelAsync(new() { Name = "second" }).Bound();
        await models.LoadModelAsync(new() { Name = "second" }).FailsAsync(StatusCode.FailedPrecondition, "MODEL_INVALID");
    }

    [Fact]
    public async Task A_model_that_appears_in_a_folder_is_served_and_one_that_was_unloaded_stays_so_until_its_files_change()
    {
        using var folder = new ModelFolder().Add(Items.FaceModel, "first", 0);
        await using var server = await TestServer.StartAsync([folder.Argument, .. Often]);
        folder.Add(Items.FaceModel, "second", 64);
        await server.Events.WaitAsync("ModelAdded", "'second'");
        Assert.Null(Assert.Single(await server.Api.Embedding.StreamEmbed().ExchangeAsync([Items.EmbedFace("a", TestImages.Crop(1), "second")])).Error);
        await server.Api.Models.UnloadModelAsync(new() { Name = "second" }).Bound();
        folder.Add(Items.FaceModel, "third", 32);
        await server.Events.WaitAsync("ModelAdded", "'third'");
        await server.Api.Models.GetModelAsync(new() { Name = "second" }).FailsAsync(StatusCode.NotFound, "MODEL_NOT_FOUND");
        folder.Measure("second", 7);
        await server.Events.WaitAsync("ModelNotAdded");
        folder.Add(Items.FaceModel, "fourth", 16).Change("fourth", 8);
        await server.Events.WaitAsync("ModelAdded", "'fourth'");
    }

    private static async Task<Model> GetAsync(TestServer server, string name) => (await server.Api.Models.GetModelAsync(new() { Name = name }).Bound()).Model;

    private static async Task UnloadedAsync(TestServer server, string name)
    {
        while ((await GetAsync(server, name)).Loaded)
        {
            await server.Events.WaitAsync("ModelUnloaded", $"'{name}'");
        }
    }
}
