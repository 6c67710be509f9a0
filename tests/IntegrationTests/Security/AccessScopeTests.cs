using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.V1;
using Grpc.Core;

namespace Embeddings.IntegrationTests.Security;

/// <summary>A caller with some of the collections sees and changes only these, on both stores.</summary>
public sealed class AccessScopeTests
{
    private const string Denied = "COLLECTION_DENIED";

    public static TheoryData<string> Stores => ["embedded", "real Qdrant"];

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task Operations_without_a_collection_are_limited_to_those_of_the_caller(string store)
    {
        await using var server = await new AccessServer()
            .With("all", "manage").With("team-a", "write", ["team-a-*"]).With("none", "write", ["nothing-*"]).StartAsync(store);
        var (all, teamA) = (server.As("all").Vectors, server.As("team-a").Vectors);
        string[] names = ["team-a-1", "team-a-2", "team-b-1", "zeta"];
        foreach (var name in names)
        {
            await all.UpsertVectorsAsync(new() { Collection = name, Points = { Point("p", "job"), Point("q", "other") } }).Bound();
        }
        Assert.Equal(names, await NamesAsync(all));
        Assert.Equal(names[..2], await NamesAsync(teamA));
        Assert.Empty(await NamesAsync(server.As("none").Vectors));

        // Pages count what the caller sees.
        var first = await teamA.ListCollectionsAsync(new() { PageSize = 1 }).Bound();
        var second = await teamA.ListCollectionsAsync(new() { PageSize = 1, PageToken = first.NextPageToken }).Bound();
        Assert.Equal(names[..2], first.Collections.Concat(second.Collections).Select(collection => collection.Name));
        Assert.Equal("", second.NextPageToken);

        Assert.Equal(2, (await teamA.DeleteByJobIdAsync(new() { JobId = "job" }).Bound()).DeletedCount);
        foreach (var (name, left) in names.Zip((long[])[1, 1, 2, 2]))
        {
            Assert.Equal(left, (await all.CountVectorsAsync(new() { Collection = name }).Bound()).Count);
        }
        Assert.Equal(0, (await server.As("none").Vectors.DeleteByJobIdAsync(new() { JobId = "job" }).Bound()).DeletedCount);
        Assert.Equal(2, (await all.DeleteByJobIdAsync(new() { JobId = "job" }).Bound()).DeletedCount);
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task A_collection_that_the_caller_may_not_see_answers_the_same_whether_it_exists_or_not(string store)
    {
        await using var server = await new AccessServer().With("all", "manage").With("mine", "manage", ["mine"]).StartAsync(store);
        await server.As("all").Vectors.UpsertVectorsAsync(new() { Collection = "exists", Points = { Point("p", "job") } }).Bound();
        var (invoker, headers) = (server.Connect().CreateCallInvoker(), AccessServer.Bearer(server.Keys["mine"]));
        foreach (var call in AccessCalls.All.Where(call =>
            call.InCollection && call.Request.Descriptor.FindFieldByName("collection") is not null))
        {
            List<string> errors = [];
            foreach (var name in (string[])["exists", "absent"])
            {
                var request = call.Request.Descriptor.Parser.ParseFrom(Google.Protobuf.MessageExtensions.ToByteArray(call.Request));
                request.Descriptor.FindFieldByName("collection").Accessor.SetValue(request, name);
                await invoker.OutcomeAsync(call with { Request = request }, headers, text => errors.Add(text.Replace(name, "NAME", StringComparison.Ordinal)));
            }
            Assert.Contains(Denied, errors[0], StringComparison.Ordinal);
            Assert.Equal(errors[0], errors[1]);
        }
        Assert.Equal(["exists"], await NamesAsync(server.As("all").Vectors));
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task An_alias_gives_no_access_that_its_collection_does_not(string store)
    {
        await using var server = await new AccessServer()
            .With("all", "manage")
            .With("mine", "manage", ["mine-*", "alias-*"])
            .With("names", "manage", ["alias-*"])
            .With("target", "manage", ["secret"])
            .StartAsync(store);
        var all = server.As("all").Vectors;
        foreach (var name in (string[])["mine-1", "secret"])
        {
            await all.UpsertVectorsAsync(new() { Collection = name, Points = { Point("p", "job") } }).Bound();
        }
        await all.UpdateAliasesAsync(new()
        {
            Set = { Alias("alias-secret", "secret"), Alias("alias-mine", "mine-1"), Alias("hidden", "mine-1") },
        }).Bound();
        var (mine, names, target) = (server.As("mine").Vectors, server.As("names").Vectors, server.As("target").Vectors);
        Assert.Equal(1, (await mine.CountVectorsAsync(new() { Collection = "alias-mine" }).Bound()).Count);

        // Neither the alias nor the collection alone is enough, and the error does not name the collection.
        foreach (var (client, alias) in ((VectorStoreService.VectorStoreServiceClient, string)[])[
            (mine, "alias-secret"), (names, "alias-secret"), (names, "alias-mine"), (mine, "hidden"), (target, "alias-secret")])
        {
            RpcException[] errors =
            [
                await client.CountVectorsAsync(new() { Collection = alias }).FailsAsync(StatusCode.PermissionDenied, Denied),
                await client.DeleteCollectionAsync(new() { Collection = alias }).FailsAsync(StatusCode.PermissionDenied, Denied),
                await client.GetCollectionAsync(new() { Collection = alias }).FailsAsync(StatusCode.PermissionDenied, Denied),
                await client.UpsertVectorsAsync(new() { Collection = alias, Points = { Point("q", "job") } })
                    .FailsAsync(StatusCode.PermissionDenied, Denied),
            ];
            Assert.All(errors, error => Assert.DoesNotContain(
                client == target ? "alias-mine" : "secret", $"{error}".Replace(alias, "", StringComparison.Ordinal), StringComparison.Ordinal));
            var items = await client.StreamUpsertVectors().ExchangeAsync([Items.Upsert(alias, "q", Items.Vector(1, 8))]);
            Assert.Equal(Denied, Assert.Single(items).Error.Reason);
            Assert.Equal(alias, Assert.Single(items).Error.Metadata["collection"]);
        }

        // Aliases cannot be moved to what the caller does not cover, nor taken from others.
        foreach (var request in (UpdateAliasesRequest[])[
            new() { Set = { Alias("alias-secret", "secret") } }, new() { Set = { Alias("other", "mine-1") } }, new() { Delete = { "hidden" } }])
        {
            await mine.UpdateAliasesAsync(request).FailsAsync(StatusCode.PermissionDenied, Denied);
        }
        Assert.Equal(["alias-mine"], await AliasesAsync(mine));
        Assert.Empty(await AliasesAsync(names));
        Assert.Equal(["alias-mine"], (await mine.GetCollectionAsync(new() { Collection = "mine-1" }).Bound()).Collection.Aliases);
        Assert.Equal(["alias-mine", "alias-secret", "hidden"], await AliasesAsync(all));
        Assert.Equal(1, (await all.CountVectorsAsync(new() { Collection = "alias-secret" }).Bound()).Count);

        static Alias Alias(string alias, string collection) => new() { Alias_ = alias, Collection = collection };

        static async Task<string[]> AliasesAsync(VectorStoreService.VectorStoreServiceClient client) =>
            [.. (await client.ListAliasesAsync(new()).Bound()).Aliases.Select(alias => alias.Alias_)];
    }

    [Fact]
    public async Task Default_collections_are_checked()
    {
        await using var server = await new AccessServer()
            .With("images", "write", ["image_embeddings"]).With("faces", "write", ["face_embeddings"]).With("all", "manage").StartAsync();
        var (images, faces) = (server.As("images"), server.As("faces"));
        var image = new ImageItem { JobId = "j", MediaStoreId = "m", Image = TestImages.Photo(1) };
        var face = new FaceItem { JobId = "j", MediaStoreId = "m", Face = TestImages.Crop(1) };
        var photo = new PhotoItem { JobId = "k", MediaStoreId = "m", Photo = TestImages.Photo(2) };
        await images.Ingest.IngestImageAsync(new() { Item = image }).Bound();
        await images.Ingest.IngestFaceAsync(new() { Item = face }).FailsAsync(StatusCode.PermissionDenied, Denied);
        await images.Ingest.IngestPhotoAsync(new() { Item = photo }).FailsAsync(StatusCode.PermissionDenied, Denied);
        await faces.Ingest.IngestFaceAsync(new() { Item = face }).Bound();
        await faces.Ingest.IngestPhotoAsync(new() { Item = photo }).Bound();
        await faces.Ingest.IngestImageAsync(new() { Item = image }).FailsAsync(StatusCode.PermissionDenied, Denied);

        // The whole image of a photo has a collection of its own.
        photo.WithImage = true;
        await faces.Ingest.IngestPhotoAsync(new() { Item = photo }).FailsAsync(StatusCode.PermissionDenied, Denied);
        photo.ImageCollection = "face_embeddings_2";
        await faces.Ingest.IngestPhotoAsync(new() { Item = photo }).FailsAsync(StatusCode.PermissionDenied, Denied);
        await faces.Persons.ListPersonsAsync(new()).Bound();
        await images.Persons.ListPersonsAsync(new()).FailsAsync(StatusCode.PermissionDenied, Denied);
        var search = new SearchByMediaStoreIdRequest { MediaStoreId = "m", Query = new() { PointId = "j-0" } };
        Assert.NotEmpty((await faces.Vectors.SearchByMediaStoreIdAsync(search).Bound()).Result.Points);
        await images.Vectors.SearchByMediaStoreIdAsync(search).FailsAsync(StatusCode.PermissionDenied, Denied);
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task Items_of_a_stream_in_other_collections_fail_and_the_others_are_stored(string store)
    {
        await using var server = await new AccessServer().With("all", "manage").With("mine", "write", ["mine-?"]).StartAsync(store);
        var mine = server.As("mine");
        var answers = await mine.Vectors.StreamUpsertVectors().ExchangeAsync(
            ((string[])["mine-1", "theirs", "mine-2", "mine-10"]).Select(name => Items.Upsert(name, name, Items.Vector(1, 8))));
        Assert.Equal(["mine-1", Denied, "mine-2", Denied], answers.Select(answer => answer.Error?.Reason ?? answer.Ack.Collection));
        Assert.All(answers.Where(answer => answer.Error is not null), answer => Assert.Equal((int)StatusCode.PermissionDenied, answer.Error.Code));

        StreamIngestRequest[] items =
        [
            Items.IngestImage("mine-i", "a", TestImages.Photo(1)),
            Items.IngestImage("", "b", TestImages.Photo(1)),
            Items.IngestFace("", "c", 0, TestImages.Crop(1)),
            Items.IngestFace("mine-f", "d", 0, TestImages.Crop(1)),
            new() { ItemId = "e", Collection = "mine-f", Photo = new() { JobId = "e", MediaStoreId = "m", Photo = TestImages.Photo(3), WithImage = true } },
            new() { ItemId = "f", Collection = "mine-f", Photo = new() { JobId = "f", MediaStoreId = "m", Photo = TestImages.Photo(3) } },
            new() { ItemId = "g", Collection = "theirs" },
        ];
        var acks = await mine.Ingest.StreamIngest().ExchangeAsync(items);
        Assert.Equal(["", Denied, Denied, "", Denied, "", Denied], acks.Select(ack => ack.Error?.Reason ?? ""));
        // The same items in one message.
        var joined = await mine.Ingest.StreamIngest().ExchangeAsync([new() { Items = { items } }]);
        Assert.Equal(["", Denied, Denied, "", Denied, "", Denied], Assert.Single(joined).Items.Select(ack => ack.Error?.Reason ?? ""));
        Assert.Equal(["mine-1", "mine-2", "mine-f", "mine-i"], await NamesAsync(server.As("all").Vectors));
    }

    private static VectorPoint Point(string id, string job) =>
        Items.Point(id, Items.Vector(1, 8), new() { JobId = job, MediaStoreId = "m" });

    private static async Task<string[]> NamesAsync(VectorStoreService.VectorStoreServiceClient client) =>
        [.. (await client.ListCollectionsAsync(new()).Bound()).Collections.Select(collection => collection.Name)];
}
