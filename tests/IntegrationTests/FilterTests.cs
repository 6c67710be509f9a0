using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.V1;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

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
        ["all must hold"] = (
            new() { JobId = "job4", Attributes = { new AttributeCondition { Key = "even", Flag = true }, new AttributeCondition { Key = "n", Range = new() { Lt = 50 } } } },
            i => i % 10 == 4 && i < 50),
    };

    public static TheoryData<string> Names() => [.. Filters.Keys];

    public async ValueTask InitializeAsync()
    {
        var request = new UpsertVectorsRequest { Collection = _collection };
        for (var i = 0; i < Count; i++)
        {
            request.Points.Add(Items.Point($"p{i}", Items.Vector(i, 8), new()
            {
                JobId = $"job{i % 10}",
                MediaStoreId = $"media{i % 4}",
                FaceIndex = i,
                Confidence = i < 60 ? 0.25f : i < 90 ? 0.5f : 0.75f,
                Attributes = new()
                {
                    Fields =
                    {
                        ["color"] = Value.ForString(i % 3 == 0 ? "red" : "blue"),
                        ["n"] = Value.ForNumber(i),
                        ["even"] = Value.ForBool(i % 2 == 0),
                        [i % 7 == 0 ? "only7" : "other"] = Value.ForList(),
                    },
                },
            }));
        }
        await server.Api.Vectors.UpsertVectorsAsync(request).Bound();
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Count_list_search_and_delete_agree(string name)
    {
        var (filter, matches) = Filters[name];
        string[] expected = [.. Enumerable.Range(0, Count).Where(matches).Select(i => $"p{i}").Order(StringComparer.Ordinal)];
        var vectors = server.Api.Vectors;
        Assert.Equal(expected.Length, (await vectors.CountVectorsAsync(new() { Collection = _collection, Filter = filter }).Bound()).Count);

        var listed = await vectors.ListVectorsAsync(new() { Collection = _collection, Filter = filter, PageSize = 1000 }).Bound();
        Assert.Equal(expected, listed.Points.Select(point => point.PointId).Order(StringComparer.Ordinal));

        var query = new SearchQuery { Vector = new() { Values = { Items.Vector(999, 8) } } };
        var found = await vectors.SearchVectorsAsync(new() { Collection = _collection, Queries = { query }, Filter = filter, Limit = 1000 }).Bound();
        Assert.Equal(expected, found.Results[0].Points.Select(hit => hit.Point.PointId).Order(StringComparer.Ordinal));

        if (name == "none")
        {
            await vectors.DeleteVectorsAsync(new() { Collection = _collection, Filter = filter }).FailsAsync(StatusCode.InvalidArgument, "FIELD_REQUIRED", "filter");
            return;
        }
        Assert.Equal(expected.Length, (await vectors.DeleteVectorsAsync(new() { Collection = _collection, Filter = filter }).Bound()).DeletedCount);
        Assert.Equal(Count - expected.Length, (await vectors.CountVectorsAsync(new() { Collection = _collection }).Bound()).Count);
    }

    [Fact]
    public async Task Invalid_conditions_are_rejected_by_field()
    {
        await Fails("FIELD_REQUIRED", "filter.attributes[0].key", new() { Attributes = { new AttributeCondition { Flag = true } } });
        await Fails("FIELD_REQUIRED", "filter.attributes[0]", new() { Attributes = { new AttributeCondition { Key = "k" } } });
        await Fails("FIELD_REQUIRED", "filter.attributes[0].range", new() { Attributes = { new AttributeCondition { Key = "k", Range = new() } } });
        await Fails("FIELD_INVALID", "filter.attributes[0].number", new() { Attributes = { new AttributeCondition { Key = "k", Number = double.NaN } } });
        await Fails("FIELD_INVALID", "filter.confidence", new() { Confidence = new() { Gt = double.NegativeInfinity } });
        await Fails("FIELD_TOO_LONG", "filter.attributes", new() { Attributes = { Enumerable.Repeat(new AttributeCondition { Key = "k", Flag = true }, 17) } });

        Task Fails(string reason, string field, Filter filter) =>
            server.Api.Vectors.CountVectorsAsync(new() { Collection = _collection, Filter = filter }).FailsAsync(StatusCode.InvalidArgument, reason, field);
    }
}
