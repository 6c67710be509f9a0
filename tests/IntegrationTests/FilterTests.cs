using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.Testing;
using Embeddings.V1;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Api = Embeddings.IntegrationTests.Infrastructure.Api;

namespace Embeddings.IntegrationTests;

/// <summary>Filters: count, list, search, and delete select the same points as a predicate in C#.</summary>
[Collection(SharedServer.Name)]
public sealed class FilterTests(ServerFixture server) : IAsyncLifetime
{
    private const int Count = 120;

    private readonly string _collection = ServerFixture.NewCollection();

    private static readonly Dictionary<string, (Filter Filter, Func<int, bool> Matches)> Filters = new()
    {
        ["none"] = (new(), _ => true),
        ["job"] = (new() { JobId = "job3" }, i => i % 10 == 3),
        ["media"] = (new() { MediaStoreId = "media2" }, i => i % 4 == 2),
        ["face"] = (new() { FaceIndex = 5 }, i => i == 5),
        ["confidence"] = (new() { Confidence = new() { Gte = 0.5, Lt = 0.75 } }, i => i is >= 60 and < 90),
        ["text"] = (new() { Attributes = { new AttributeCondition { Key = "color", Text = "red" } } }, i => i % 3 == 0),
        ["number"] = (new() { Attributes = { new AttributeCondition { Key = "n", Number = 7 } } }, i => i == 7),
        ["flag"] = (new() { Attributes = { new AttributeCondition { Key = "even", Flag = true } } }, i => i % 2 == 0),
        ["range"] = (new() { Attributes = { new AttributeCondition { Key = "n", Range = new() { Gt = 10, Lte = 20 } } } }, i => i is > 10 and <= 20),
        ["strict types"] = (new() { Attributes = { new AttributeCondition { Key = "n", Text = "7" } } }, _ => false),
        ["exists"] = (new() { Attributes = { new AttributeCondition { Key = "only7", Exists = true } } }, i => i % 7 == 0),
        ["does not exist"] = (new() { JobId = "job4", Attributes = { new AttributeCondition { Key = "only7", Exists = false } } }, i => i % 10 == 4 && i % 7 != 0),
        ["absent"] = (new() { Attributes = { new AttributeCondition { Key = "x.y", Flag = false } } }, _ => false),
        ["point ids"] = (new() { PointIds = { "p3", "p30", "p300" } }, i => i is 3 or 30),
        ["point id prefix"] = (new() { PointIdPrefix = "p11" }, i => i == 11 || i is >= 110 and < 120),
        ["jobs"] = (new() { JobIds = { "job1", "job2" } }, i => i % 10 is 1 or 2),
        ["job prefix"] = (new() { JobIdPrefix = "job" }, _ => true),
        ["media items"] = (new() { MediaStoreIds = { "media0" }, MediaStoreIdPrefix = "media" }, i => i % 4 == 0),
        ["stored at"] = (new() { StoredAt = new() { After = Timestamp.FromDateTimeOffset(DateTimeOffset.UnixEpoch) } }, _ => true),
        ["expires at"] = (new() { ExpiresAt = new() { Before = Timestamp.FromDateTimeOffset(DateTimeOffset.UnixEpoch.AddYears(200)) } }, i => i == 9),
        ["text in"] = (new() { Attributes = { new AttributeCondition { Key = "color", TextIn = new() { Values = { "red", "green" } } } } }, i => i % 3 == 0),
        ["number in"] = (new() { Attributes = { new AttributeCondition { Key = "n", NumberIn = new() { Values = { 5, 6, 6.5 } } } } }, i => i is 5 or 6),
        ["prefix"] = (new() { Attributes = { new AttributeCondition { Key = "color", Prefix = "b" } } }, i => i % 3 != 0),
        ["nested"] = (new() { Attributes = { new AttributeCondition { Path = { "camera", "lens.mm" }, Range = new() { Gte = 100 } } } }, i => i >= 100),
        ["time"] = (
            new() { Attributes = { new AttributeCondition { Key = "taken", Time = new() { From = Timestamp.FromDateTimeOffset(Day(5)), Before = Timestamp.FromDateTimeOffset(Day(7)) } } } },
            i => i is 5 or 6),
        ["any"] = (new() { Any = { new Filter { JobId = "job1" }, new Filter { FaceIndex = 3 } } }, i => i % 10 == 1 || i == 3),
        ["not"] = (new() { Not = { new Filter { JobId = "job1" }, new Filter { Attributes = { new AttributeCondition { Key = "only7", Exists = true } } } } }, i => i % 10 != 1 && i % 7 != 0),
        ["all"] = (
            new() { All = { new Filter { JobId = "job1" }, new Filter { Any = { new Filter { FaceIndex = 1 }, new Filter { Not = { new Filter { Confidence = new() { Lt = 0.75 } } } } } } } },
            i => i % 10 == 1 && (i == 1 || i >= 90)),
        ["all must hold"] = (
            new() { JobId = "job4", Attributes = { new AttributeCondition { Key = "even", Flag = true }, new AttributeCondition { Key = "n", Range = new() { Lt = 50 } } } },
            i => i % 10 == 4 && i < 50),
    };

    private static DateTimeOffset Day(int i) => new DateTimeOffset(2026, 1, 1, 12, 0, 0, TimeSpan.Zero).AddDays(i);

    public static TheoryData<string> Names() => [.. Filters.Keys];

    public ValueTask InitializeAsync() => new(FillAsync(server.Api, _collection));

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Theory]
    [MemberData(nameof(Names))]
    public Task Count_list_search_and_delete_agree(string name) => CheckAsync(server.Api, _collection, name);

    [ToolFact("QDRANT_BINARY")]
    public async Task Count_list_search_and_delete_agree_with_Qdrant()
    {
        await using var qdrant = await QdrantNode.StartAsync();
        await using var other = await TestServer.StartAsync(["--Store:Kind=Qdrant", $"--Store:Qdrant:Url={qdrant.Address}"]);
        var collection = ServerFixture.NewCollection();
        foreach (var name in Filters.Keys)
        {
            // What the last one has deleted.
            await FillAsync(other.Api, collection);
            await CheckAsync(other.Api, collection, name);
        }
    }

    private static async Task FillAsync(Api api, string collection)
    {
        var request = new UpsertVectorsRequest { Collection = collection };
        for (var i = 0; i < Count; i++)
        {
            request.Points.Add(Items.Point($"p{i}", Items.Vector(i, 8), new()
            {
                JobId = $"job{i % 10}",
                MediaStoreId = $"media{i % 4}",
                FaceIndex = i,
                ExpiresAt = i == 9 ? Timestamp.FromDateTimeOffset(DateTimeOffset.UnixEpoch.AddYears(150)) : null,
                Confidence = i < 60 ? 0.25f : i < 90 ? 0.5f : 0.75f,
                Attributes = new()
                {
                    Fields =
                    {
                        ["color"] = Value.ForString(i % 3 == 0 ? "red" : "blue"),
                        ["n"] = Value.ForNumber(i),
                        ["even"] = Value.ForBool(i % 2 == 0),
                        ["camera"] = Value.ForStruct(new() { Fields = { ["lens.mm"] = Value.ForNumber(i) } }),
                        ["taken"] = Value.ForString(Day(i).ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", System.Globalization.CultureInfo.InvariantCulture)),
                        [i % 7 == 0 ? "only7" : "other"] = Value.ForList(),
                    },
                },
            }));
        }
        await api.Vectors.UpsertVectorsAsync(request).Bound();
    }

    private static async Task CheckAsync(Api api, string collection, string name)
    {
        var (filter, matches) = Filters[name];
        string[] expected = [.. Enumerable.Range(0, Count).Where(matches).Select(i => $"p{i}").Order(StringComparer.Ordinal)];
        var vectors = api.Vectors;
        Assert.Equal(expected.Length, (await vectors.CountVectorsAsync(new() { Collection = collection, Filter = filter }).Bound()).Count);

        var listed = await vectors.ListVectorsAsync(new() { Collection = collection, Filter = filter, PageSize = 1000 }).Bound();
        Assert.Equal(expected, listed.Points.Select(point => point.PointId).Order(StringComparer.Ordinal));

        var query = new SearchQuery { Vector = new() { Values = { Items.Vector(999, 8) } } };
        var found = await vectors.SearchVectorsAsync(new() { Collection = collection, Queries = { query }, Filter = filter, Limit = 1000 }).Bound();
        Assert.Equal(expected, found.Results[0].Points.Select(hit => hit.Point.PointId).Order(StringComparer.Ordinal));

        if (name == "none")
        {
            await vectors.DeleteVectorsAsync(new() { Collection = collection, Filter = filter }).FailsAsync(StatusCode.InvalidArgument, "FIELD_REQUIRED", "filter");
            return;
        }
        Assert.Equal(expected.Length, (await vectors.DeleteVectorsAsync(new() { Collection = collection, Filter = filter }).Bound()).DeletedCount);
        Assert.Equal(Count - expected.Length, (await vectors.CountVectorsAsync(new() { Collection = collection }).Bound()).Count);
    }

    [Fact]
    public async Task Invalid_conditions_are_rejected_by_field()
    {
        await Fails("FIELD_REQUIRED", "filter.attributes[0].key", new() { Attributes = { new AttributeCondition { Flag = true } } });
        await Fails("FIELD_REQUIRED", "filter.attributes[0]", new() { Attributes = { new AttributeCondition { Key = "k" } } });
        await Fails("FIELD_REQUIRED", "filter.attributes[0].range", new() { Attributes = { new AttributeCondition { Key = "k", Range = new() } } });
        await Fails("FIELD_INVALID", "filter.attributes[0].number", new() { Attributes = { new AttributeCondition { Key = "k", Number = double.NaN } } });
        await Fails("FIELD_INVALID", "filter.confidence", new() { Confidence = new() { Gt = double.NegativeInfinity } });
        await Fails("FIELD_TOO_LONG", "filter", new() { Attributes = { Enumerable.Repeat(new AttributeCondition { Key = "k", Flag = true }, 65) } });
        await Fails("FIELD_TOO_LONG", "filter", new() { Not = { Enumerable.Repeat(new Filter { JobId = "j", FaceIndex = 1 }, 33) } });
        await Fails("FIELD_TOO_LONG", "filter", new() { All = { Enumerable.Repeat(new Filter(), 65) } });
        await Fails("FIELD_TOO_LONG", "filter.any", new() { Any = { Enumerable.Repeat(new Filter(), 1001) } });
        await Fails("FIELD_TOO_LONG", "filter.job_ids", new() { JobIds = { Enumerable.Repeat("j", 1001) } });
        await Fails("FIELD_TOO_LONG", "filter.job_ids[1]", new() { JobIds = { "", new string('j', 513) } });
        await Fails("FIELD_REQUIRED", "filter.point_ids[0]", new() { PointIds = { "" } });
        await Fails("FIELD_REQUIRED", "filter.point_id_prefix", new() { PointIdPrefix = "" });
        await Fails("FIELD_TOO_LONG", "filter.job_id_prefix", new() { JobIdPrefix = new string('j', 513) });
        await Fails("FIELD_REQUIRED", "filter.stored_at", new() { StoredAt = new() });
        await Fails("FIELD_INVALID", "filter.expires_at.to", new() { ExpiresAt = new() { To = new() { Seconds = long.MaxValue } } });
        await FailsOn("FIELD_REQUIRED", "text_in.values", new() { Key = "k", TextIn = new() });
        await FailsOn("FIELD_TOO_LONG", "text_in.values", new() { Key = "k", TextIn = new() { Values = { Enumerable.Repeat("x", 1001) } } });
        await FailsOn("FIELD_INVALID", "number_in.values[1]", new() { Key = "k", NumberIn = new() { Values = { 1, double.PositiveInfinity } } });
        await FailsOn("FIELD_REQUIRED", "prefix", new() { Key = "k", Prefix = "" });
        await FailsOn("FIELD_REQUIRED", "time", new() { Key = "k", Time = new() });
        await FailsOn("FIELD_INVALID", "path", new() { Key = "k", Path = { "k" }, Flag = true });
        await FailsOn("FIELD_REQUIRED", "path[1]", new() { Path = { "k", "" }, Flag = true });
        await FailsOn("FIELD_TOO_LONG", "path", new() { Path = { Enumerable.Repeat("k", 9) }, Flag = true });
        var deep = new Filter { FaceIndex = 1 };
        for (var level = 1; level < 8; level++)
        {
            deep = new Filter { Not = { deep } };
        }
        await server.Api.Vectors.CountVectorsAsync(new() { Collection = _collection, Filter = deep }).Bound();
        await Fails("FIELD_INVALID", "filter.any[0].not[0].not[0].not[0].not[0].not[0].not[0].not[0]", new() { Any = { deep } });

        Task FailsOn(string reason, string field, AttributeCondition condition) =>
            Fails(reason, $"filter.any[1].attributes[0].{field}", new() { Any = { new Filter { JobId = "j" }, new Filter { Attributes = { condition } } } });

        Task Fails(string reason, string field, Filter filter) =>
            server.Api.Vectors.CountVectorsAsync(new() { Collection = _collection, Filter = filter }).FailsAsync(StatusCode.InvalidArgument, reason, field);
    }
}
