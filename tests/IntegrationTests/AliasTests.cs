using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.Server.Grpc;
using Embeddings.V1;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Grpc.Core;

namespace Embeddings.IntegrationTests;

/// <summary>Aliases: names that stand for collections in every call.</summary>
public sealed class AliasTests
{
    private const string Alias = "alias";
    private const string One = "one";
    private const string Two = "two";

    public static TheoryData<string> Stores => StartedStore.All;

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task An_alias_stands_for_its_collection_in_every_call(string store)
    {
        await using var started = await StartedStore.StartAsync(store);
        var api = started.Server.Api;
        var vectors = api.Vectors;
        await vectors.CreateCollectionAsync(new() { Collection = One, Model = Items.FaceModel }).Bound();
        await SetAsync(vectors, Alias, One);

        // Writes, which name the collection in their acks.
        var face = await api.Ingest.IngestFaceAsync(new()
        {
            Collection = Alias,
            Item = new() { JobId = "a", MediaStoreId = "m", Face = TestImages.Crop(1) },
        }).Bound();
        Assert.Equal(One, face.Ack.Collection);
        var items = await api.Ingest.StreamIngest().ExchangeAsync(
            [Items.IngestFace(Alias, "b", 0, TestImages.Crop(2)), new() { Items = { Items.IngestFace(Alias, "c", 0, TestImages.Crop(3)) } }]);
        Assert.Equal([One, One], items.Select(item => (item.Ack ?? item.Items[0].Ack).Collection));
        var upserts = await vectors.StreamUpsertVectors().ExchangeAsync([Items.Upsert(Alias, "d", Items.Vector(4))]);
        Assert.Equal(One, Assert.Single(upserts).Ack.Collection);
        await vectors.UpsertVectorsAsync(new()
        {
            Collection = Alias,
            Points = { Items.Point("e", Items.Vector(5), new() { JobId = "e", MediaStoreId = "m" }) },
        }).Bound();
        Assert.Equal([One], (await vectors.ListCollectionsAsync(new()).Bound()).Collections.Select(collection => collection.Name));

        // Reads.
        Assert.Equal(5, (await vectors.CountVectorsAsync(new() { Collection = Alias }).Bound()).Count);
        Assert.Equal(5, (await vectors.ListVectorsAsync(new() { Collection = Alias }).Bound()).Points.Count);
        Assert.Equal("d", (await vectors.GetVectorAsync(new() { Collection = Alias, PointId = "d" }).Bound()).Point.PointId);
        Assert.Equal(2, (await vectors.GetVectorsAsync(new() { Collection = Alias, PointIds = { "d", "e" } }).Bound()).Points.Count);
        var found = await vectors.SearchVectorsAsync(new() { Collection = Alias, Queries = { new SearchQuery { PointId = "d" } }, Limit = 3 }).Bound();
        Assert.Equal(3, found.Results[0].Points.Count);
        var media = await vectors.SearchByMediaStoreIdAsync(
            new() { Collection = Alias, MediaStoreId = "m", Query = new() { PointId = "d" } }).Bound();
        Assert.Equal(4, media.Result.Points.Count);
        var described = (await vectors.GetCollectionAsync(new() { Collection = Alias }).Bound()).Collection;
        Assert.Equal((One, 5L), (described.Name, described.PointCount));
        Assert.Equal([Alias], described.Aliases);

        // Changes.
        Assert.Equal(1, (await vectors.SetAttributesAsync(new() { Collection = Alias, PointIds = { "d" }, RemoveKeys = { "k" } }).Bound()).MatchedCount);
        Assert.Equal(1, (await api.Persons.NamePersonAsync(new() { Collection = Alias, PointIds = { "b-0" }, Person = "P" }).Bound()).ChangedCount);
        Assert.Equal("P", Assert.Single((await api.Persons.ListPersonsAsync(new() { Collection = One }).Bound()).Persons).Name);
        Assert.Equal("P", Assert.Single((await api.Persons.ListPersonsAsync(new() { Collection = Alias }).Bound()).Persons).Name);
        var groups = await api.Persons.ClusterFaces(new() { Collection = Alias, Threshold = 0.9f }).ResponseStream.DrainAsync();
        Assert.Equal(5, groups[^1].Summary.GroupedCount + groups[^1].Summary.UngroupedCount);
        if (store != "double of Qdrant")
        {
            Assert.Equal(1, (await vectors.SetLegalHoldAsync(new() { Collection = Alias, PointIds = { "e" }, Hold = true }).Bound()).ChangedCount);
            Assert.Equal(1, (await vectors.DeleteByJobIdAsync(new() { Collection = Alias, JobId = "e" }).Bound()).HeldCount);
            await vectors.SetLegalHoldAsync(new() { Collection = Alias, PointIds = { "e" }, Hold = false }).Bound();
        }
        var updated = await vectors.UpdateCollectionAsync(new() { Collection = Alias, Retention = new() { Seconds = 100_000 } }).Bound();
        Assert.Equal((One, 100_000L), (updated.Collection.Name, updated.Collection.Settings.Retention.Seconds));
        Assert.Equal(1, (await vectors.DeleteByJobIdAsync(new() { Collection = Alias, JobId = "a" }).Bound()).DeletedCount);
        Assert.Equal(1, (await vectors.DeleteVectorsAsync(new() { Collection = Alias, PointIds = { "d" } }).Bound()).DeletedCount);

        // Errors name the collection.
        var error = await vectors.GetVectorAsync(new() { Collection = Alias, PointId = "d" }).FailsAsync(StatusCode.NotFound, "POINT_NOT_FOUND");
        Assert.Contains($"'{One}'", error.Status.Detail, StringComparison.Ordinal);

        // A collection goes with its aliases, and a name of an alias is free afterwards.
        Assert.Equal(3, (await vectors.DeleteCollectionAsync(new() { Collection = Alias }).Bound()).DeletedCount);
        Assert.Empty((await vectors.ListAliasesAsync(new()).Bound()).Aliases);
        await vectors.CountVectorsAsync(new() { Collection = Alias }).FailsAsync(StatusCode.NotFound, "COLLECTION_NOT_FOUND");
        await vectors.CreateCollectionAsync(new() { Collection = Alias, Dimension = 2 }).Bound();
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task Aliases_are_created_moved_and_deleted_together(string store)
    {
        await using var started = await StartedStore.StartAsync(store);
        var vectors = started.Server.Api.Vectors;
        foreach (var (name, count) in ((string, int)[])[(One, 1), (Two, 2)])
        {
            await vectors.UpsertVectorsAsync(new()
            {
                Collection = name,
                Points = { Enumerable.Range(0, count).Select(i => Items.Point($"p{i}", [1, i])) },
            }).Bound();
        }
        await vectors.UpdateAliasesAsync(new() { Set = { New("a", One), New("b", One), New("c", Two) } }).Bound();
        Assert.Equal(1, (await vectors.CountVectorsAsync(new() { Collection = "a" }).Bound()).Count);
        await vectors.UpdateAliasesAsync(new() { Set = { New("a", Two), New("d", One) }, Delete = { "b" } }).Bound();
        Assert.Equal(2, (await vectors.CountVectorsAsync(new() { Collection = "a" }).Bound()).Count);
        await vectors.CountVectorsAsync(new() { Collection = "b" }).FailsAsync(StatusCode.NotFound, "COLLECTION_NOT_FOUND");

        var first = await vectors.ListAliasesAsync(new() { PageSize = 2 }).Bound();
        Assert.Equal([New("a", Two), New("c", Two)], first.Aliases);
        var second = await vectors.ListAliasesAsync(new() { PageSize = 2, PageToken = first.NextPageToken }).Bound();
        Assert.Equal([New("d", One)], second.Aliases);
        Assert.Equal("", second.NextPageToken);

        await vectors.CreateCollectionAsync(new() { Collection = "a", Dimension = 2 }).FailsAsync(StatusCode.AlreadyExists, "ALIAS_EXISTS");
        await vectors.UpdateAliasesAsync(new() { Set = { New(One, Two) } }).FailsAsync(StatusCode.AlreadyExists, "COLLECTION_EXISTS");
        await vectors.UpdateAliasesAsync(new() { Set = { New("x", "missing") } }).FailsAsync(StatusCode.NotFound, "COLLECTION_NOT_FOUND");
        await vectors.UpdateAliasesAsync(new() { Set = { New("x", "a") } }).FailsAsync(StatusCode.NotFound, "COLLECTION_NOT_FOUND");
        await vectors.UpdateAliasesAsync(new() { Delete = { "b" } }).FailsAsync(StatusCode.NotFound, "ALIAS_NOT_FOUND");
        foreach (var request in (UpdateAliasesRequest[])[
            new(),
            new() { Set = { New("x", One), New("x", Two) } },
            new() { Set = { New("x", One) }, Delete = { "x" } },
            new() { Set = { New("no name", One) } },
            new() { Set = { New("", One) } },
            new() { Delete = { "" } },
            new() { Set = { Enumerable.Range(0, 1001).Select(i => New($"x{i}", One)) } }])
        {
            var error = await Assert.ThrowsAsync<RpcException>(() => vectors.UpdateAliasesAsync(request).Bound());
            Assert.Equal(StatusCode.InvalidArgument, error.StatusCode);
        }
        Assert.Equal(3, (await vectors.ListAliasesAsync(new()).Bound()).Aliases.Count);
    }

    [Fact]
    public async Task Each_call_sees_one_collection_while_an_alias_moves()
    {
        await using var server = await TestServer.StartAsync();
        var vectors = server.Api.Vectors;
        // The point to search with is another one in each collection, and finds only points of its collection.
        foreach (var name in (string[])[One, Two])
        {
            await vectors.UpsertVectorsAsync(new()
            {
                Collection = name,
                Points = { Items.Point("query", [1, 0]), Items.Point(name, [1, name == One ? 0.1f : 0.2f]) },
            }).Bound();
        }
        await SetAsync(vectors, Alias, One);
        using var stop = new CancellationTokenSource();
        var moving = Task.Run(async () =>
        {
            for (var i = 0; !stop.IsCancellationRequested; i++)
            {
                await vectors.UpdateAliasesAsync(new() { Set = { New(Alias, i % 2 == 0 ? Two : One), New("twin", i % 2 == 0 ? Two : One) } }).Bound();
            }
        });
        var seen = new HashSet<string>();
        for (var i = 0; i < 300 || seen.Count < 2; i++)
        {
            var search = await vectors.SearchVectorsAsync(new() { Collection = Alias, Queries = { new SearchQuery { PointId = "query" } } }).Bound();
            seen.Add(Assert.Single(search.Results[0].Points).Point.PointId);
            var collection = (await vectors.GetCollectionAsync(new() { Collection = Alias }).Bound()).Collection;
            Assert.Equal(2, collection.PointCount);
        }
        await stop.CancelAsync();
        await moving.Bound();
    }

    [Fact]
    public async Task A_default_collection_may_be_an_alias()
    {
        await using var server = await TestServer.StartAsync("--Store:FaceCollection=people");
        var api = server.Api;
        await api.Vectors.CreateCollectionAsync(new() { Collection = "people-1", Model = Items.FaceModel }).Bound();
        await SetAsync(api.Vectors, "people", "people-1");
        var face = await api.Ingest.IngestFaceAsync(new() { Item = new() { JobId = "j", Face = TestImages.Crop(1) } }).Bound();
        Assert.Equal("people-1", face.Ack.Collection);
        Assert.Equal(1, (await api.Persons.ListPersonsAsync(new()).Bound()).UnnamedCount);
    }

    [Fact]
    public async Task The_audit_log_names_alias_and_collection()
    {
        using var folder = new TempFolder();
        var log = folder.File("audit.jsonl");
        await using (var server = await TestServer.StartAsync($"--Audit:File={log}"))
        {
            var vectors = server.Api.Vectors;
            await vectors.UpsertVectorsAsync(new() { Collection = One, Points = { Items.Point("p", [1, 2]) } }).Bound();
            await SetAsync(vectors, Alias, One);
            await vectors.DeleteVectorsAsync(new() { Collection = Alias, PointIds = { "p" } }).Bound();
            await vectors.StreamUpsertVectors().ExchangeAsync([Items.Upsert(Alias, "q", [1, 2])]);
            await vectors.UpdateAliasesAsync(new() { Delete = { Alias } }).Bound();
        }
        var lines = File.ReadAllLines(log);
        foreach (var (method, names) in ((string, string[])[])[
            ("UpdateAliases", [Alias, One]), ("DeleteVectors", [Alias, One]), ("StreamUpsertVectors", [Alias, One])])
        {
            Assert.Contains(lines, line => line.Contains(method, StringComparison.Ordinal)
                && names.All(name => line.Contains($"\"{name}\"", StringComparison.Ordinal)));
        }
        Assert.Equal(2, lines.Count(line => line.Contains("/UpdateAliases", StringComparison.Ordinal) && line.Contains($"\"{Alias}\"", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Settings_and_aliases_are_as_acknowledged_after_a_kill()
    {
        using var folder = new TempFolder();
        var (process, api) = await ServerProcess.StartAsync(folder.Path);
        var acked = -1;
        var sent = -1;
        using (process)
        using (api)
        {
            var vectors = api.Vectors;
            foreach (var name in (string[])[One, Two])
            {
                await vectors.CreateCollectionAsync(new() { Collection = name, Dimension = 2, Settings = new() { Retention = new() { Seconds = 100_000 } } }).Bound();
            }
            var enough = new Milestone(40);
            var changing = Task.Run(async () =>
            {
                for (var i = 0; ; i++)
                {
                    Volatile.Write(ref sent, i);
                    var target = i % 2 == 0 ? One : Two;
                    await vectors.UpdateAliasesAsync(new() { Set = { New("a", target), New("b", target), New($"n{i}", target) } }).Bound();
                    await vectors.UpdateCollectionAsync(new() { Collection = target, Retention = new() { Seconds = 100_000 + i } }).Bound();
                    Volatile.Write(ref acked, i);
                    enough.Hit();
                }
            });
            await enough.Reached;
            await process.KillAsync();
            await Assert.ThrowsAsync<RpcException>(() => changing.Bound());
        }

        (process, api) = await ServerProcess.StartAsync(folder.Path);
        using (process)
        using (api)
        {
            var aliases = new Dictionary<string, string>();
            var request = new ListAliasesRequest { PageSize = 1000 };
            var page = await api.Vectors.ListAliasesAsync(request).Bound();
            foreach (var alias in page.Aliases)
            {
                aliases.Add(alias.Alias_, alias.Collection);
            }
            Assert.Equal("", page.NextPageToken);
            // Changes of one call are all there or none.
            Assert.Equal(aliases["a"], aliases["b"]);
            var last = aliases.Keys.Where(name => name[0] == 'n').Max(name => int.Parse(name[1..]));
            Assert.InRange(last, acked, sent);
            Assert.Equal(last + 1, aliases.Keys.Count(name => name[0] == 'n'));
            Assert.Equal(last % 2 == 0 ? One : Two, aliases["a"]);
            var target = acked % 2 == 0 ? One : Two;
            var retention = (await api.Vectors.GetCollectionAsync(new() { Collection = target }).Bound()).Collection.Settings.Retention.Seconds;
            Assert.InRange(retention, 100_000 + acked, 100_000 + sent);
        }
    }

    /// <summary>Every field of a request that names an existing collection can be an alias: a new one fails here.</summary>
    [Fact]
    public void Every_field_with_a_collection_is_resolved()
    {
        const string Probe = "probe";
        // A new name, and changes of aliases, are none.
        MessageDescriptor[] except = [CreateCollectionRequest.Descriptor, UpdateAliasesRequest.Descriptor];
        var requests = new[]
            {
                EmbeddingService.Descriptor.File, IngestService.Descriptor.File, FaceService.Descriptor.File, PersonService.Descriptor.File,
                VectorStoreService.Descriptor.File, ModelService.Descriptor.File,
            }
            .SelectMany(file => file.Services)
            .SelectMany(service => service.Methods)
            .Select(method => method.InputType)
            .Except(except);
        var count = 0;
        foreach (var type in requests)
        {
            foreach (var (message, read) in Fields(type, Probe))
            {
                CollectionFields.Change(message, 0, static (name, _, _) => name == Probe ? "resolved" : name);
                Assert.True(read() == "resolved", $"a field of {type.Name} is not resolved: {message}");
                count++;
            }
        }
        Assert.True(count > 20);
    }

    private static IEnumerable<(IMessage Message, Func<string> Read)> Fields(MessageDescriptor type, string value)
    {
        foreach (var field in type.Fields.InFieldNumberOrder())
        {
            var isName = field.Name == "collection" || field.Name.EndsWith("_collection", StringComparison.Ordinal);
            if (field is { FieldType: FieldType.String, IsRepeated: false } && isName)
            {
                foreach (var kind in type == StreamIngestRequest.Descriptor ? (IMessage[])[new ImageItem(), new FaceItem(), new PhotoItem()] : [null!])
                {
                    var message = type.Parser.ParseFrom([]);
                    if (kind is not null)
                    {
                        type.Fields.InFieldNumberOrder().First(item => item.FieldType == FieldType.Message && item.MessageType == kind.Descriptor)
                            .Accessor.SetValue(message, kind);
                    }
                    field.Accessor.SetValue(message, value);
                    yield return (message, () => (string)field.Accessor.GetValue(message));
                }
            }
            else if (field is { FieldType: FieldType.Message, IsRepeated: false } && field.MessageType.File.Package == "embeddings.v1")
            {
                foreach (var (inner, read) in Fields(field.MessageType, value))
                {
                    var message = type.Parser.ParseFrom([]);
                    field.Accessor.SetValue(message, inner);
                    yield return (message, read);
                }
            }
        }
    }

    private static Alias New(string alias, string collection) => new() { Alias_ = alias, Collection = collection };

    private static async Task SetAsync(VectorStoreService.VectorStoreServiceClient vectors, string alias, string collection) =>
        await vectors.UpdateAliasesAsync(new() { Set = { New(alias, collection) } }).Bound();
}
