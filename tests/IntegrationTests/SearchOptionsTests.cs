using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.V1;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace Embeddings.IntegrationTests;

/// <summary>Offsets, groups, thresholds, and examples over the wire, with each store.</summary>
public sealed class SearchOptionsTests
{
    private const string Collection = "c";
    private const int Dimension = 12;

    public static TheoryData<string> Stores => StartedStore.All;

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task Offset_and_groups_select_from_the_ranking(string store)
    {
        await using var started = await StartedStore.StartAsync(store);
        var vectors = started.Server.Api.Vectors;
        await FillAsync(vectors);
        var request = new SearchVectorsRequest
        {
            Collection = Collection,
            Queries = { Query(Items.Vector(900, Dimension)), Query(Items.Vector(901, Dimension)) },
            Limit = 1000,
            Params = new() { Exact = true },
        };
        var all = await SearchAsync(vectors, request);
        Assert.All(all, points => Assert.Equal(120, points.Count));

        request.Offset = 17;
        request.Limit = 20;
        Assert.Equal(all.Select(points => points.Skip(17).Take(20).Select(Seen)), (await SearchAsync(vectors, request)).Select(points => points.Select(Seen)));
        request.Params.Exact = false;
        Assert.Equal(20, (await SearchAsync(vectors, request))[1].Count);
        request.Params = new() { Exact = true };

        (GroupBy By, Func<Payload, object?> Key)[] groups =
        [
            (new() { Field = GroupField.MediaStoreId }, payload => Name(payload.MediaStoreId)),
            (new() { Field = GroupField.JobId, GroupSize = 3 }, payload => Name(payload.JobId)),
            (new() { Field = GroupField.Person, GroupSize = 2 }, payload => Name(Field(payload, "person")?.StringValue)),
            (new() { Field = GroupField.Attribute, Attribute = new() { Names = { "rank" } } }, payload => Field(payload, "rank")),
            (
                new() { Field = GroupField.Attribute, Attribute = new() { Names = { "camera", "lens.type" } }, GroupSize = 100 },
                payload => Field(payload, "camera")?.StructValue.Fields["lens.type"]),
        ];
        foreach (var (by, key) in groups)
        {
            foreach (var (offset, limit) in ((int, int)[])[(0, 4), (2, 3), (0, 1000)])
            {
                request.GroupBy = by;
                request.Offset = offset;
                request.Limit = limit;
                var expected = all.Select(points => points
                    .GroupBy(hit => key(hit.Point.Payload) ?? hit.Point.PointId + " alone")
                    .Skip(offset)
                    .Take(limit)
                    .SelectMany(group => group.Take(Math.Max(1, by.GroupSize)))
                    .OrderByDescending(hit => hit.Score)
                    .ThenBy(hit => hit.Point.PointId, StringComparer.Ordinal)
                    .Select(Seen));
                Assert.Equal(expected, (await SearchAsync(vectors, request)).Select(points => points.Select(Seen)));
            }
        }

        static string? Name(string? text) => string.IsNullOrEmpty(text) ? null : text;

        static Value? Field(Payload payload, string name) => payload.Attributes.Fields.GetValueOrDefault(name);
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task A_threshold_includes_the_score_that_it_equals(string store)
    {
        await using var started = await StartedStore.StartAsync(store);
        var vectors = started.Server.Api.Vectors;
        await FillAsync(vectors);
        var request = new SearchVectorsRequest { Collection = Collection, Queries = { Query(Items.Vector(900, Dimension)) }, Limit = 1000 };
        var all = (await SearchAsync(vectors, request))[0];
        foreach (var threshold in all.Take(40).SelectMany(hit => (float[])[hit.Score, MathF.BitIncrement(hit.Score), MathF.BitDecrement(hit.Score)]))
        {
            request.ScoreThreshold = threshold;
            Assert.Equal(all.Where(hit => hit.Score >= threshold).Select(Seen), (await SearchAsync(vectors, request))[0].Select(Seen));
        }
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task Examples_of_all_kinds_are_combined(string store)
    {
        await using var started = await StartedStore.StartAsync(store);
        var api = started.Server.Api;
        await api.Ingest.StreamIngest().ExchangeAsync(
            Enumerable.Range(0, 30).Select(i => Items.IngestFace(Collection, "f", i, TestImages.Crop(i), media: $"m{i % 2}")));
        var stored = new Dictionary<string, float[]>();
        for (var i = 0; i < 30; i++)
        {
            stored[$"f-{i}"] = [.. (await api.Vectors.GetVectorAsync(new() { Collection = Collection, PointId = $"f-{i}" }).Bound()).Point.Vector];
        }
        var own = Items.Vector(77, Items.Dimension);
        var query = new SearchQuery
        {
            Examples = new()
            {
                Positive =
                {
                    new Example { PointId = "f-3" }, new Example { Vector = new() { Values = { own } } },
                    new Example { Face = TestImages.Crop(5) }, new Example { PointId = "f-3" },
                },
                Negative = { new Example { PointId = "f-7" }, new Example { Face = TestImages.Crop(8) } },
            },
        };
        var combined = Combine([stored["f-3"], own, stored["f-5"], stored["f-3"]], [stored["f-7"], stored["f-8"]]);
        var expected = stored.Keys.Except(["f-3", "f-7"]).ToDictionary(id => id, id => Cosine(combined, stored[id]));

        var request = new SearchVectorsRequest { Collection = Collection, Queries = { query, Query(own) }, Limit = 1000 };
        var found = await api.Vectors.SearchVectorsAsync(request).Bound();
        Assert.Equal(expected.Keys.Order(), found.Results[0].Points.Select(hit => hit.Point.PointId).Order());
        Assert.All(found.Results[0].Points, hit => Assert.Equal(expected[hit.Point.PointId], hit.Score, 1e-5));
        Assert.Equal(30, found.Results[1].Points.Count);
        Assert.True(found.Results[0].Timings.InferenceUs > 0);
        Assert.Equal(0, found.Results[1].Timings.InferenceUs);

        var inOne = await api.Vectors.SearchByMediaStoreIdAsync(
            new() { Collection = Collection, MediaStoreId = "m1", Query = query, Limit = 1000 }).Bound();
        Assert.Equal(
            found.Results[0].Points.Where(hit => hit.Point.Payload.MediaStoreId == "m1").Select(Seen), inOne.Result.Points.Select(Seen));
    }

    [Fact]
    public async Task Invalid_options_are_rejected_with_reason_and_field()
    {
        await using var started = await StartedStore.StartAsync("embedded");
        var vectors = started.Server.Api.Vectors;
        await FillAsync(vectors);

        await Fails("FIELD_INVALID", "offset", request => request.Offset = -1);
        var tooFar = await Fails("FIELD_INVALID", "offset", request => request.Offset = 10_001);
        Assert.Equal("offset must be between 0 and 10000; got 10001.", tooFar.Status.Detail);
        await Fails("FIELD_REQUIRED", "group_by.field", request => request.GroupBy = new());
        await Fails("FIELD_INVALID", "group_by.field", request => request.GroupBy = new() { Field = (GroupField)77 });
        await Fails("FIELD_INVALID", "group_by.group_size", request => request.GroupBy = new() { Field = GroupField.JobId, GroupSize = 101 });
        await Fails("FIELD_REQUIRED", "group_by.attribute", request => request.GroupBy = new() { Field = GroupField.Attribute });
        await Fails("FIELD_INVALID", "group_by.attribute", request => request.GroupBy = new() { Field = GroupField.JobId, Attribute = new() });
        await Fails(
            "FIELD_REQUIRED", "group_by.attribute.names", request => request.GroupBy = new() { Field = GroupField.Attribute, Attribute = new() });
        await Fails(
            "FIELD_TOO_LONG",
            "group_by.attribute.names",
            request => request.GroupBy = new() { Field = GroupField.Attribute, Attribute = new() { Names = { Enumerable.Repeat("a", 9) } } });
        await Fails(
            "FIELD_TOO_LONG",
            "group_by.attribute.names[1]",
            request => request.GroupBy = new() { Field = GroupField.Attribute, Attribute = new() { Names = { "a", new string('b', 129) } } });

        var vector = new Example { Vector = new() { Values = { Items.Vector(1, Dimension) } } };
        await FailsExamples("FIELD_REQUIRED", "queries[0].examples.positive", new());
        await FailsExamples("FIELD_REQUIRED", "queries[0].examples.positive", new() { Negative = { vector } });
        await FailsExamples("FIELD_REQUIRED", "queries[0].examples.positive[1].example", new() { Positive = { vector, new Example() } });
        await FailsExamples(
            "DIMENSION_MISMATCH",
            "queries[0].examples.negative[0].vector.values",
            new() { Positive = { vector }, Negative = { new Example { Vector = new() { Values = { 1, 2 } } } } });
        await FailsExamples("VECTOR_ZERO", "queries[0].examples", new() { Positive = { vector }, Negative = { vector, vector } });
        var many = Enumerable.Repeat(vector, 64).ToList();
        await FailsExamples("FIELD_TOO_LONG", null, new() { Positive = { many, vector } });
        await FailsExamples("FIELD_TOO_LONG", null, new() { Positive = { vector }, Negative = { many, vector } });
        await FailsExamples(
            "FIELD_REQUIRED", "queries[0].examples.positive[0].point_id", new() { Positive = { new Example { PointId = "" } } });
        await vectors.SearchVectorsAsync(Request(new() { Examples = new() { Positive = { vector, new Example { PointId = "none" } } } }))
            .FailsAsync(StatusCode.NotFound, "POINT_NOT_FOUND");
        // The most that is permitted.
        var most = Request(new() { Examples = new() { Positive = { many }, Negative = { many.Select((_, i) => new Example { PointId = $"p{i}" }) } } });
        Assert.Equal(10, (await vectors.SearchVectorsAsync(most).Bound()).Results[0].Points.Count);

        Task<RpcException> Fails(string reason, string field, Action<SearchVectorsRequest> change)
        {
            var request = Request(Query(Items.Vector(1, Dimension)));
            change(request);
            return vectors.SearchVectorsAsync(request).FailsAsync(StatusCode.InvalidArgument, reason, field);
        }

        Task<RpcException> FailsExamples(string reason, string? field, ExampleQuery examples) =>
            vectors.SearchVectorsAsync(Request(new() { Examples = examples })).FailsAsync(StatusCode.InvalidArgument, reason, field);

        static SearchVectorsRequest Request(SearchQuery query) => new() { Collection = Collection, Queries = { query } };
    }

    private static async Task FillAsync(VectorStoreService.VectorStoreServiceClient vectors)
    {
        var random = new Random(4);
        var points = Enumerable.Range(0, 120).Select(i =>
        {
            var attributes = new Struct();
            if (i % 3 > 0)
            {
                attributes.Fields["person"] = i % 11 == 0 ? Value.ForNumber(1) : Value.ForString(i % 13 == 0 ? "" : $"person {i % 5}");
            }
            attributes.Fields["rank"] = i % 4 == 0 ? Value.ForBool(i % 8 == 0) : i % 4 == 1 ? Value.ForString($"{i % 3}") : Value.ForNumber(i % 3);
            attributes.Fields["camera"] = Value.ForStruct(new() { Fields = { ["lens.type"] = Value.ForString($"{i % 2}") } });
            var payload = new Payload { JobId = $"job{i % 9}", MediaStoreId = i % 7 == 0 ? "" : $"media{random.Next(12)}", Attributes = attributes };
            // Each vector twice, so that there are ties.
            return Items.Point($"p{i}", Items.Vector(i / 2, Dimension), payload);
        });
        await vectors.UpsertVectorsAsync(new() { Collection = Collection, Points = { points } }).Bound();
    }

    private static async Task<List<List<ScoredPoint>>> SearchAsync(
        VectorStoreService.VectorStoreServiceClient vectors, SearchVectorsRequest request) =>
        [.. (await vectors.SearchVectorsAsync(request).Bound()).Results.Select(result => result.Points.ToList())];

    private static (string Id, float Score) Seen(ScoredPoint hit) => (hit.Point.PointId, hit.Score);

    private static SearchQuery Query(IEnumerable<float> values) => new() { Vector = new() { Values = { values } } };

    private static double[] Combine(float[][] positive, float[][] negative) =>
        [.. Direction(positive).Zip(Direction(negative), (plus, minus) => plus - minus)];

    private static double[] Direction(float[][] examples)
    {
        double[] sum = [.. Enumerable.Range(0, examples[0].Length).Select(i => examples.Sum(example => example[i] / Norm(example.Select(x => (double)x))))];
        return [.. sum.Select(x => x / Norm(sum))];
    }

    private static double Norm(IEnumerable<double> values) => Math.Sqrt(values.Sum(x => x * x));

    private static double Cosine(double[] left, float[] right) =>
        left.Zip(right, (a, b) => a * b).Sum() / Norm(left) / Norm(right.Select(x => (double)x));
}
