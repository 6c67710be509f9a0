using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.Server.Privacy;
using Embeddings.Testing;
using Embeddings.V1;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace Embeddings.IntegrationTests;

/// <summary>Collections with settings, batches of points, attributes, and orders, over the wire on every store.</summary>
public sealed class CollectionTests
{
    private const string Name = "c";

    public static TheoryData<string> Stores => StartedStore.All;

    public static TheoryData<string> RealStores => ["embedded", "real Qdrant"];

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task Collections_are_created_and_changed(string store)
    {
        await using var started = await StartedStore.StartAsync(store);
        var vectors = started.Server.Api.Vectors;
        var year = Indexed(AttributeType.Number, "year");
        var lens = Indexed(AttributeType.Text, "camera", "lens");
        var created = (await vectors.CreateCollectionAsync(new()
        {
            Collection = Name,
            Dimension = 3,
            Settings = new() { IndexedAttributes = { year, lens }, Retention = new() { Seconds = 3600 } },
        }).Bound()).Collection;
        Assert.Equal((Name, 3, 0L, ""), (created.Name, created.Dimension, created.PointCount, created.Model));
        Assert.Equal([lens, year], created.Settings.IndexedAttributes);
        Assert.Equal(3600, created.Settings.Retention.Seconds);
        Assert.Equal(created, (await vectors.GetCollectionAsync(new() { Collection = Name }).Bound()).Collection);
        Assert.Equal(created, Assert.Single((await vectors.ListCollectionsAsync(new()).Bound()).Collections));
        await vectors.CreateCollectionAsync(new() { Collection = Name, Dimension = 3 }).FailsAsync(StatusCode.AlreadyExists, "COLLECTION_EXISTS");
        await vectors.UpsertVectorsAsync(new() { Collection = Name, Points = { Items.Point("p", [1, 2]) } })
            .FailsAsync(StatusCode.InvalidArgument, "DIMENSION_MISMATCH");

        var changed = (await vectors.UpdateCollectionAsync(new()
        {
            Collection = Name,
            AddIndexedAttributes = { Indexed(AttributeType.Flag, "a.b"), year },
            RemoveIndexedAttributes = { lens },
            Retention = new(),
        }).Bound()).Collection;
        Assert.Equal([Indexed(AttributeType.Flag, "a.b"), year], changed.Settings.IndexedAttributes);
        Assert.Null(changed.Settings.Retention);
        await vectors.UpdateCollectionAsync(new() { Collection = "missing", Retention = new() }).FailsAsync(StatusCode.NotFound, "COLLECTION_NOT_FOUND");
        await vectors.GetCollectionAsync(new() { Collection = "missing" }).FailsAsync(StatusCode.NotFound, "COLLECTION_NOT_FOUND");

        // A model gives dimension and fingerprint, so that another model is refused from the start.
        var model = (await started.Server.Api.Models.GetModelAsync(new() { Name = Items.FaceModel }).Bound()).Model;
        var faces = (await vectors.CreateCollectionAsync(new() { Collection = "faces", Model = Items.FaceModel }).Bound()).Collection;
        Assert.Equal((model.Dimension, model.Name, model.Fingerprint), (faces.Dimension, faces.Model, faces.ModelFingerprint));
        await started.Server.Api.Ingest.IngestImageAsync(new() { Collection = "faces", Item = new() { JobId = "j", Image = TestImages.Photo(1) } })
            .FailsAsync(StatusCode.FailedPrecondition, "COLLECTION_MODEL_MISMATCH");
        await started.Server.Api.Ingest.IngestFaceAsync(new() { Collection = "faces", Item = new() { JobId = "j", Face = TestImages.Crop(1) } }).Bound();
        await vectors.CreateCollectionAsync(new() { Collection = "d", Model = "none" }).FailsAsync(StatusCode.NotFound, "MODEL_NOT_FOUND");
    }

    [Fact]
    public async Task Invalid_settings_are_refused_with_the_field()
    {
        await using var server = await TestServer.StartAsync("--Store:Embedded:MaxDimension=100");
        var vectors = server.Api.Vectors;
        var year = Indexed(AttributeType.Number, "year");
        (CreateCollectionRequest Request, string Field, string Text)[] wrong =
        [
            (new() { Collection = "no name", Dimension = 2 }, "collection", "must have 1 to 128 characters"),
            (new() { Dimension = 2 }, "collection", "required"),
            (new() { Collection = "x" }, "dimension", "Exactly one of dimension and model"),
            (new() { Collection = "x", Dimension = 2, Model = Items.FaceModel }, "dimension", "Exactly one of dimension and model"),
            (new() { Collection = "x", Dimension = -1 }, "dimension", "got -1"),
            (new() { Collection = "x", Dimension = 101 }, "dimension", "between 1 and 100 (Store:Embedded:MaxDimension); got 101"),
            (Settings(new() { Retention = new() }), "settings.retention", "between 1 and"),
            (Settings(new() { Retention = new() { Seconds = 1, Nanos = 5 } }), "settings.retention", "5 nanoseconds"),
            (Settings(new() { Retention = new() { Seconds = 315_576_000_000 } }), "settings.retention", "315576000000"),
            (Settings(new() { ApproximateIndex = new() { Links = 3 } }), "settings.approximate_index.links", "between 4 and 64; got 3"),
            (Settings(new() { ApproximateIndex = new() { BuildCandidates = 1001 } }), "settings.approximate_index.build_candidates", "got 1001"),
            (Settings(new() { IndexedAttributes = { year, year } }), "settings.indexed_attributes", "year (number) twice"),
            (Settings(new() { IndexedAttributes = { Enumerable.Range(0, 17).Select(i => Indexed(AttributeType.Flag, $"{i}")) } }),
                "settings.indexed_attributes", "at most 16"),
            (Settings(new() { IndexedAttributes = { new IndexedAttribute { Path = year.Path } } }), "settings.indexed_attributes[0].type", "required"),
            (Settings(new() { IndexedAttributes = { new IndexedAttribute { Path = year.Path, Type = (AttributeType)9 } } }),
                "settings.indexed_attributes[0].type", "got 9"),
            (Settings(new() { IndexedAttributes = { new IndexedAttribute { Type = AttributeType.Text } } }), "settings.indexed_attributes[0].path", "required"),
            (Settings(new() { IndexedAttributes = { Indexed(AttributeType.Text, "a", "") } }), "settings.indexed_attributes[0].path.names[1]", "required"),
            (Settings(new() { IndexedAttributes = { Indexed(AttributeType.Text, [.. Enumerable.Repeat("a", 9)]) } }),
                "settings.indexed_attributes[0].path.names", "between 1 and 8"),
            (Settings(new() { IndexedAttributes = { Indexed(AttributeType.Text, new string('a', 129)) } }),
                "settings.indexed_attributes[0].path.names[0]", "128 bytes"),
        ];
        foreach (var (request, field, text) in wrong)
        {
            var error = await Assert.ThrowsAsync<RpcException>(() => vectors.CreateCollectionAsync(request).Bound());
            Assert.True(error.StatusCode == StatusCode.InvalidArgument, $"{error.Status}");
            Assert.Equal(field, Assert.Single(error.Detail<Google.Rpc.BadRequest>()!.FieldViolations).Field);
            Assert.Contains(text, error.Status.Detail, StringComparison.Ordinal);
        }
        Assert.Empty((await vectors.ListCollectionsAsync(new()).Bound()).Collections);

        await vectors.CreateCollectionAsync(Settings(new() { ApproximateIndex = new() })).Bound();
        var graph = (await vectors.GetCollectionAsync(new() { Collection = "x" }).Bound()).Collection;
        Assert.Equal((16, 128), (graph.Settings.ApproximateIndex.Links, graph.Settings.ApproximateIndex.BuildCandidates));
        Assert.Equal((0, false), (graph.ApproximateIndexState.IndexedCount, graph.ApproximateIndexState.HasRecallAt10));
        await vectors.UpdateCollectionAsync(new() { Collection = "x" }).FailsAsync(StatusCode.InvalidArgument, "FIELD_REQUIRED");
        await vectors.UpdateCollectionAsync(new() { Collection = "x", ApproximateIndex = new(), RemoveApproximateIndex = true })
            .FailsAsync(StatusCode.InvalidArgument, "FIELD_INVALID", "remove_approximate_index");
        await vectors.UpdateCollectionAsync(new() { Collection = "x", AddIndexedAttributes = { year }, RemoveIndexedAttributes = { year } })
            .FailsAsync(StatusCode.InvalidArgument, "FIELD_INVALID", "remove_indexed_attributes");
        await vectors.UpdateCollectionAsync(new()
        {
            Collection = "x",
            AddIndexedAttributes = { Enumerable.Range(0, 16).Select(i => Indexed(AttributeType.Flag, $"{i}")) },
        }).Bound();
        await vectors.UpdateCollectionAsync(new() { Collection = "x", AddIndexedAttributes = { year } })
            .FailsAsync(StatusCode.InvalidArgument, "FIELD_TOO_LONG", "add_indexed_attributes");
        var without = await vectors.UpdateCollectionAsync(new() { Collection = "x", RemoveApproximateIndex = true }).Bound();
        Assert.Null(without.Collection.Settings.ApproximateIndex);
        Assert.Equal(16, without.Collection.Settings.IndexedAttributes.Count);

        static CreateCollectionRequest Settings(CollectionSettings settings) => new() { Collection = "x", Dimension = 2, Settings = settings };
    }

    [Fact]
    public async Task An_approximate_index_is_refused_with_qdrant()
    {
        await using var started = await StartedStore.StartAsync("double of Qdrant");
        var vectors = started.Server.Api.Vectors;
        await vectors.CreateCollectionAsync(new() { Collection = Name, Dimension = 2, Settings = new() { ApproximateIndex = new() } })
            .FailsAsync(StatusCode.InvalidArgument, "FIELD_INVALID", "settings.approximate_index");
        await vectors.CreateCollectionAsync(new() { Collection = Name, Dimension = 2 }).Bound();
        await vectors.UpdateCollectionAsync(new() { Collection = Name, ApproximateIndex = new(), Retention = new() { Seconds = 5 } })
            .FailsAsync(StatusCode.InvalidArgument, "FIELD_INVALID", "approximate_index");
        Assert.Null((await vectors.GetCollectionAsync(new() { Collection = Name }).Bound()).Collection.Settings.Retention);
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task The_shorter_retention_applies(string store)
    {
        var clock = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await using var started = await StartedStore.StartAsync(
            store, services => services.AddSingleton<TimeProvider>(clock), "--Privacy:Retention:0=short*=1", "--Privacy:SweepSeconds=86400");
        var vectors = started.Server.Api.Vectors;
        foreach (var (name, seconds) in Periods())
        {
            await vectors.CreateCollectionAsync(new()
            {
                Collection = name,
                Dimension = 2,
                Settings = seconds == 0 ? null : new() { Retention = new() { Seconds = seconds } },
            }).Bound();
            await vectors.UpsertVectorsAsync(new() { Collection = name, Points = { Items.Point("p", [1, 2]) } }).Bound();
        }
        var sweeper = started.Server.Get<IEnumerable<Microsoft.Extensions.Hosting.IHostedService>>().OfType<RetentionSweeper>().Single();
        await sweeper.SweepAsync(CancellationToken.None);
        Assert.Equal("long none short short-own", await LeftAsync());
        clock.Advance(TimeSpan.FromHours(2));
        await sweeper.SweepAsync(CancellationToken.None);
        Assert.Equal("long none short", await LeftAsync());
        clock.Advance(TimeSpan.FromDays(1));
        await sweeper.SweepAsync(CancellationToken.None);
        Assert.Equal("long none", await LeftAsync());
        clock.Advance(TimeSpan.FromDays(3));
        await sweeper.SweepAsync(CancellationToken.None);
        Assert.Equal("none", await LeftAsync());

        static (string, long)[] Periods() => [("long", 3 * 86_400), ("none", 0), ("short", 3 * 86_400), ("short-own", 3600)];

        async Task<string> LeftAsync() => string.Join(' ', (await vectors.ListCollectionsAsync(new()).Bound()).Collections
            .Where(collection => collection.PointCount > 0)
            .Select(collection => collection.Name));
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task Several_points_are_read_at_once(string store)
    {
        await using var started = await StartedStore.StartAsync(store, null, "--Server:MaxResponseBytes=4194304");
        var vectors = started.Server.Api.Vectors;
        await vectors.UpsertVectorsAsync(new()
        {
            Collection = Name,
            Points = { Enumerable.Range(0, 1000).Select(i => Items.Point($"p{i}", Items.Vector(i, 8), new() { JobId = $"j{i}" })) },
        }).Bound();
        string[] ids = ["p7", "none", "p3", "p7", "other", "none"];
        var found = await vectors.GetVectorsAsync(new() { Collection = Name, PointIds = { ids } }).Bound();
        Assert.Equal(["p7", "p3"], found.Points.Select(point => point.PointId));
        Assert.Equal(["none", "other"], found.MissingPointIds);
        Assert.Equal(["j7", "j3"], found.Points.Select(point => point.Payload.JobId));
        Assert.All(found.Points, point => Assert.Equal(8, point.Vector.Count));
        var bare = await vectors.GetVectorsAsync(new() { Collection = Name, PointIds = { ids }, WithPayload = false, VectorsAsBytes = true }).Bound();
        Assert.All(bare.Points, point => Assert.Equal((null, 32, 0), (point.Payload, point.VectorF32.Length, point.Vector.Count)));
        var all = await vectors.GetVectorsAsync(
            new() { Collection = Name, PointIds = { Enumerable.Range(0, 1000).Select(i => $"p{999 - i}") }, WithVectors = false }).Bound();
        Assert.Equal(Enumerable.Range(0, 1000).Select(i => $"p{999 - i}"), all.Points.Select(point => point.PointId));
        Assert.All(all.Points, point => Assert.Empty(point.Vector));

        await vectors.GetVectorsAsync(new() { Collection = Name }).FailsAsync(StatusCode.InvalidArgument, "FIELD_REQUIRED", "point_ids");
        await vectors.GetVectorsAsync(new() { Collection = Name, PointIds = { Enumerable.Range(0, 1001).Select(i => $"{i}") } })
            .FailsAsync(StatusCode.InvalidArgument, "FIELD_TOO_LONG", "point_ids");
        await vectors.GetVectorsAsync(new() { Collection = Name, PointIds = { "a", "" } })
            .FailsAsync(StatusCode.InvalidArgument, "FIELD_REQUIRED", "point_ids[1]");
        await vectors.GetVectorsAsync(new() { Collection = "missing", PointIds = { "a" } }).FailsAsync(StatusCode.NotFound, "COLLECTION_NOT_FOUND");

        // The budget of a response counts.
        var text = new string('x', 60_000);
        await vectors.UpsertVectorsAsync(new()
        {
            Collection = Name,
            Points =
            {
                Enumerable.Range(0, 100).Select(i => Items.Point(
                    $"big{i}", Items.Vector(i, 8), new() { Attributes = new() { Fields = { ["k"] = Value.ForString(text) } } })),
            },
        }).Bound();
        var big = new GetVectorsRequest { Collection = Name, PointIds = { Enumerable.Range(0, 100).Select(i => $"big{i}") } };
        await vectors.GetVectorsAsync(big).FailsAsync(StatusCode.ResourceExhausted, "RESPONSE_TOO_LARGE");
        big.WithPayload = false;
        Assert.Equal(100, (await vectors.GetVectorsAsync(big).Bound()).Points.Count);
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task Attributes_are_merged_removed_and_replaced(string store)
    {
        await using var started = await StartedStore.StartAsync(store);
        var vectors = started.Server.Api.Vectors;
        var nested = Value.ForStruct(new() { Fields = { ["b"] = Value.ForNumber(1) } });
        await vectors.UpsertVectorsAsync(new()
        {
            Collection = Name,
            Points =
            {
                Enumerable.Range(0, 6).Select(i => Items.Point(
                    $"p{i}",
                    Items.Vector(i, 8),
                    new() { JobId = $"j{i % 2}", Attributes = new() { Fields = { ["a"] = nested, ["n"] = Value.ForNumber(i) } } })),
            },
        }).Bound();
        var before = (await vectors.GetVectorAsync(new() { Collection = Name, PointId = "p0" }).Bound()).Point;

        var merged = await vectors.SetAttributesAsync(new()
        {
            Collection = Name,
            PointIds = { "p0", "p1", "p0" },
            Attributes = new() { Fields = { ["n"] = Value.ForString("x"), ["new"] = Value.ForBool(true) } },
            RemoveKeys = { "a", "unknown" },
        }).Bound();
        Assert.Equal(2, merged.MatchedCount);
        var after = (await vectors.GetVectorAsync(new() { Collection = Name, PointId = "p0" }).Bound()).Point;
        Assert.Equal("""{ "n": "x", "new": true }""", Text(after));
        Assert.Equal(before.Vector, after.Vector);
        Assert.Equal((before.Payload.JobId, before.StoredAt), (after.Payload.JobId, after.StoredAt));

        // By filter, which the change makes the points leave.
        var byFilter = await vectors.SetAttributesAsync(new()
        {
            Collection = Name,
            Filter = new() { JobId = "j0", Attributes = { new AttributeCondition { Key = "a", Exists = true } } },
            Attributes = new() { Fields = { ["only"] = Value.ForNull() } },
            Replace = true,
        }).Bound();
        Assert.Equal(2, byFilter.MatchedCount);
        Assert.Equal("""{ "only": null }""", Text((await vectors.GetVectorAsync(new() { Collection = Name, PointId = "p4" }).Bound()).Point));
        Assert.Equal(1, (await vectors.SetAttributesAsync(new() { Collection = Name, PointIds = { "p4" }, Replace = true }).Bound()).MatchedCount);
        Assert.Null((await vectors.GetVectorAsync(new() { Collection = Name, PointId = "p4" }).Bound()).Point.Payload.Attributes);

        // All or none, on a store with transactions as on Qdrant with few points.
        var request = new SetAttributesRequest { Collection = Name, PointIds = { "p3", "none" }, RemoveKeys = { "n" } };
        await vectors.SetAttributesAsync(request).FailsAsync(StatusCode.NotFound, "POINT_NOT_FOUND");
        Assert.Contains("n", (await vectors.GetVectorAsync(new() { Collection = Name, PointId = "p3" }).Bound()).Point.Payload.Attributes.Fields.Keys);

        // The limits count for what results.
        var half = new Struct { Fields = { ["half"] = Value.ForString(new string('x', 40_000)) } };
        var other = new Struct { Fields = { ["other"] = Value.ForString(new string('x', 40_000)) } };
        await vectors.SetAttributesAsync(new() { Collection = Name, PointIds = { "p2", "p3" }, Attributes = half }).Bound();
        var error = await vectors.SetAttributesAsync(new() { Collection = Name, PointIds = { "p5", "p3" }, Attributes = other })
            .FailsAsync(StatusCode.InvalidArgument, "FIELD_TOO_LONG", "attributes");
        Assert.Contains("'p3'", error.Status.Detail, StringComparison.Ordinal);
        Assert.DoesNotContain("other", (await vectors.GetVectorAsync(new() { Collection = Name, PointId = "p5" }).Bound()).Point.Payload.Attributes.Fields.Keys);
        await vectors.SetAttributesAsync(new() { Collection = Name, PointIds = { "p3" }, Attributes = other, RemoveKeys = { "half" } }).Bound();

        (SetAttributesRequest Request, string Field)[] wrong =
        [
            (new() { Collection = Name, RemoveKeys = { "n" } }, "point_ids"),
            (new() { Collection = Name, PointIds = { "p0" }, Filter = new() { JobId = "j" }, RemoveKeys = { "n" } }, "point_ids"),
            (new() { Collection = Name, Filter = new(), RemoveKeys = { "n" } }, "filter"),
            (new() { Collection = Name, PointIds = { "p0" } }, "attributes"),
            (new() { Collection = Name, PointIds = { "p0" }, RemoveKeys = { "n" }, Replace = true }, "remove_keys"),
            (new() { Collection = Name, PointIds = { "p0" }, Attributes = half, RemoveKeys = { "half" } }, "remove_keys"),
            (new() { Collection = Name, PointIds = { "p0" }, RemoveKeys = { Enumerable.Range(0, 1001).Select(i => $"{i}") } }, "remove_keys"),
        ];
        foreach (var (invalid, field) in wrong)
        {
            var refused = await Assert.ThrowsAsync<RpcException>(() => vectors.SetAttributesAsync(invalid).Bound());
            Assert.Equal((StatusCode.InvalidArgument, field), (refused.StatusCode, Assert.Single(refused.Detail<Google.Rpc.BadRequest>()!.FieldViolations).Field));
        }

        static string Text(VectorPoint point) => $"{new Struct { Fields = { point.Payload.Attributes.Fields.OrderBy(field => field.Key, StringComparer.Ordinal).ToDictionary() } }}";
    }

    [Theory]
    [MemberData(nameof(RealStores))]
    public async Task Points_are_listed_in_order(string store)
    {
        await using var started = await StartedStore.StartAsync(store);
        var vectors = started.Server.Api.Vectors;
        await vectors.CreateCollectionAsync(new()
        {
            Collection = Name,
            Dimension = 2,
            Settings = new() { IndexedAttributes = { Indexed(AttributeType.Number, "n"), Indexed(AttributeType.Text, "t") } },
        }).Bound();
        await vectors.UpsertVectorsAsync(new()
        {
            Collection = Name,
            Points =
            {
                Enumerable.Range(0, 30).Select(i =>
                {
                    var payload = new Payload { JobId = $"j{i % 2}", Attributes = new() };
                    if (i % 5 != 0)
                    {
                        payload.Attributes.Fields["n"] = Value.ForNumber(i * 7 % 30);
                        payload.Confidence = i * 11 % 30 / 30f;
                    }
                    return Items.Point($"p{i:D2}", [1, i], payload);
                }),
            },
        }).Bound();
        var path = new AttributePath { Names = { "n" } };
        foreach (var descending in (bool[])[false, true])
        {
            var byNumber = await ListAsync(new() { Attribute = path, Descending = descending }, null);
            Assert.Equal(30, byNumber.Count);
            var numbers = byNumber.Take(24).Select(point => point.Payload.Attributes.Fields["n"].NumberValue).ToList();
            Assert.Equal(descending ? numbers.OrderDescending() : numbers.Order(), numbers);
            Assert.All(byNumber.Skip(24), point => Assert.Equal(0, int.Parse(point.PointId[1..]) % 5));
            var byConfidence = await ListAsync(new() { Confidence = true, Descending = descending }, new() { JobId = "j1" });
            Assert.Equal(15, byConfidence.Count);
            var confidences = byConfidence.Take(12).Select(point => point.Payload.Confidence).ToList();
            Assert.Equal(descending ? confidences.OrderDescending() : confidences.Order(), confidences);
            Assert.Equal(30, (await ListAsync(new() { StoredAt = true, Descending = descending }, null)).Count);
        }

        await FailsAsync(new() { Attribute = new() { Names = { "t" } } }, StatusCode.FailedPrecondition, "ATTRIBUTE_NOT_INDEXED");
        await FailsAsync(new() { Attribute = new() { Names = { "other" } } }, StatusCode.FailedPrecondition, "ATTRIBUTE_NOT_INDEXED");
        await FailsAsync(new(), StatusCode.InvalidArgument, "FIELD_REQUIRED");
        await FailsAsync(new() { StoredAt = false }, StatusCode.InvalidArgument, "FIELD_INVALID");
        await FailsAsync(new() { Attribute = new() }, StatusCode.InvalidArgument, "FIELD_REQUIRED");
        if (store == "embedded")
        {
            Assert.Equal(Enumerable.Range(0, 30).Select(i => $"p{29 - i:D2}"), (await ListAsync(new() { PointId = true, Descending = true }, null)).Select(point => point.PointId));
        }
        else
        {
            await FailsAsync(new() { PointId = true }, StatusCode.InvalidArgument, "FIELD_INVALID");
        }

        async Task FailsAsync(OrderBy order, StatusCode code, string reason) =>
            await vectors.ListVectorsAsync(new() { Collection = Name, OrderBy = order }).FailsAsync(code, reason);

        async Task<List<VectorPoint>> ListAsync(OrderBy order, Filter? filter)
        {
            var points = new List<VectorPoint>();
            var request = new ListVectorsRequest { Collection = Name, Filter = filter, PageSize = 7, OrderBy = order };
            do
            {
                var page = await vectors.ListVectorsAsync(request).Bound();
                points.AddRange(page.Points);
                request.PageToken = page.NextPageToken;
            }
            while (request.PageToken.Length > 0);
            return points;
        }
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task The_names_of_the_default_collections_are_settings(string store)
    {
        await using var started = await StartedStore.StartAsync(store, null, "--Store:ImageCollection=pictures", "--Store:FaceCollection=people");
        var api = started.Server.Api;
        var image = await api.Ingest.IngestImageAsync(new() { Item = new() { JobId = "j", Image = TestImages.Photo(1) } }).Bound();
        var face = await api.Ingest.IngestFaceAsync(new() { Item = new() { JobId = "j", MediaStoreId = "m", Face = TestImages.Crop(1) } }).Bound();
        Assert.Equal(("pictures", "people"), (image.Ack.Collection, face.Ack.Collection));
        var stream = await api.Ingest.StreamIngest().ExchangeAsync(
            [Items.IngestImage("", "k", TestImages.Photo(2)), new() { Items = { Items.IngestFace("", "k", 0, TestImages.Crop(2), "m") } }]);
        Assert.Equal("pictures", stream[0].Ack.Collection);
        Assert.Equal("people", (stream[1].Ack ?? stream[1].Items[0].Ack).Collection);
        var search = new SearchByMediaStoreIdRequest { MediaStoreId = "m", Query = new() { PointId = "j-0" } };
        Assert.Equal("k-0", Assert.Single((await api.Vectors.SearchByMediaStoreIdAsync(search).Bound()).Result.Points).Point.PointId);
        Assert.Equal(2, (await api.Persons.ListPersonsAsync(new()).Bound()).UnnamedCount);
        // The dimension of a default collection is that of the model of its kind.
        await api.Vectors.DeleteCollectionAsync(new() { Collection = "people" }).Bound();
        await api.Vectors.UpsertVectorsAsync(new() { Collection = "people", Points = { Items.Point("p", [1, 2]) } })
            .FailsAsync(StatusCode.InvalidArgument, "DIMENSION_MISMATCH");
        await api.Vectors.UpsertVectorsAsync(new() { Collection = "face_embeddings", Points = { Items.Point("p", [1, 2]) } }).Bound();
    }

    [Theory]
    [InlineData("--Store:ImageCollection=no name", "ImageCollection must have 1 to 128 characters", "got 'no name'")]
    [InlineData("--Store:FaceCollection=", "FaceCollection must have 1 to 128 characters", "got ''")]
    [InlineData("--Store:FaceCollection=image_embeddings", "FaceCollection must be another collection", "image_embeddings")]
    public async Task Invalid_names_of_default_collections_stop_the_start(string argument, params string[] texts)
    {
        using var folder = new TempFolder();
        var (code, output) = await ServerProcess.FailAsync(folder.Path, argument);
        Assert.Equal(1, code);
        var line = Assert.Single(output.Trim().Split('\n'));
        Assert.All(texts, text => Assert.Contains(text, line, StringComparison.Ordinal));
    }

    private static IndexedAttribute Indexed(AttributeType type, params string[] names) =>
        new() { Path = new() { Names = { names } }, Type = type };
}
