using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.V1;
using FsCheck;
using FsCheck.Fluent;
using Google.Protobuf;
using Google.Protobuf.Collections;
using Grpc.Core;

namespace Embeddings.IntegrationTests;

/// <summary>Messages with several items: the same results as of single items, in the same order, whatever the sizes.</summary>
[Collection(SharedServer.Name)]
public sealed class BatchedStreamTests(ServerFixture server)
{
    private readonly string _collection = ServerFixture.NewCollection();

    public static TheoryData<string> Stores => StartedStore.All;

    [Fact]
    public async Task Embeddings_are_the_same_with_all_message_sizes_on_a_cold_and_a_warm_server()
    {
        await using var cold = await TestServer.StartAsync();
        var items = Enumerable.Range(0, 240).Select(EmbedItem).ToList();
        var expected = default(List<StreamEmbedResponse>);
        foreach (var size in (int[])[7, 0, 1, 2, 16, 64, 240])
        {
            var sizes = Enumerable.Repeat(size, items.Count / Math.Max(size, 1) + 1);
            var responses = await cold.Api.Embedding.StreamEmbed().ExchangeAsync(Messages(items, sizes));
            var answers = Flat(responses);
            Assert.Equal(items.Select(item => item.ItemId), answers.Select(answer => answer.ItemId));
            if (size > 0)
            {
                Assert.Equal(Sizes(items.Count, sizes), responses.Select(response => response.Items.Count));
            }
            expected ??= answers;
            Assert.All(expected.Zip(answers), pair => AssertSame(pair.First, pair.Second));
        }
    }

    [Fact]
    public async Task Random_messages_give_the_results_of_single_items()
    {
        var items = Enumerable.Range(0, 300).Select(EmbedItem).ToList();
        var single = await server.Api.Embedding.StreamEmbed().ExchangeAsync(items);
        Check.One(
            Config.QuickThrowOnFailure.WithMaxTest(25),
            Prop.ForAll(MessageSizes(), async sizes =>
            {
                var requests = Messages(items, sizes).ToList();
                var responses = await server.Api.Embedding.StreamEmbed().ExchangeAsync(requests);
                // Small responses: each request has one, in its form.
                Assert.Equal(requests.Select(request => request.Items.Count), responses.Select(response => response.Items.Count));
                Assert.All(single.Zip(Flat(responses)), pair => AssertSame(pair.First, pair.Second));
            }));
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task Upserts_and_ingests_store_the_same_in_both_forms(string kind)
    {
        await using var started = await StartedStore.StartAsync(kind);
        var api = started.Server.Api;
        var random = new Random(21);
        foreach (var form in (string[])["single", "batched"])
        {
            var sizes = Enumerable.Range(0, 400).Select(_ => form == "single" ? 0 : random.Next(0, 40));
            var upserts = Enumerable.Range(0, 400).Select(i => UpsertItem($"u-{form}", i)).ToList();
            var stored = Flat(await api.Vectors.StreamUpsertVectors().ExchangeAsync(Messages(upserts, sizes)));
            Assert.Equal(upserts.Select(item => item.ItemId), stored.Select(answer => answer.ItemId));
            Assert.All(stored.Index(), entry => Assert.Equal(ErrorOfUpsert(entry.Index), entry.Item.Error?.Reason));
            Assert.All(stored.Where(answer => answer.Ack is not null), answer => Assert.Equal($"u-{form}", answer.Ack.Collection));

            var ingests = Enumerable.Range(0, 150).Select(i => IngestItem($"i-{form}", i)).ToList();
            var ingested = Flat(await api.Ingest.StreamIngest().ExchangeAsync(Messages(ingests, sizes)));
            Assert.Equal(ingests.Select(item => item.ItemId), ingested.Select(answer => answer.ItemId));
            Assert.All(ingested.Index(), entry => Assert.Equal(entry.Index % 13 == 5, entry.Item.Error is not null));
            Assert.All(ingested.Index(), entry => Assert.Equal(entry.Index % 13 != 5 && entry.Index % 3 == 1, entry.Item.Ack?.Embedding?.ValuesF32.IsEmpty == false));
        }
        foreach (var prefix in (string[])["u", "i"])
        {
            var single = await PointsAsync(api, $"{prefix}-single");
            var batched = await PointsAsync(api, $"{prefix}-batched");
            // The later of two points with an id is stored, as in the single form.
            Assert.InRange(single.Count, 50, 400);
            Assert.Equal(single, batched);
        }
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task A_point_that_the_store_refuses_fails_alone(string kind)
    {
        await using var started = await StartedStore.StartAsync(kind);
        var vectors = started.Server.Api.Vectors;
        await vectors.StreamUpsertVectors().ExchangeAsync([Items.Upsert(_collection, "p3", [1, 2])]);
        await vectors.SetLegalHoldAsync(new() { Collection = _collection, PointIds = { "p3" }, Hold = true }).Bound();
        // The same id twice: the later one wins also if the points are written one by one.
        var items = Enumerable.Range(0, 100).Select(i => Items.Upsert(_collection, $"p{i % 90}", [i + 1, 2])).ToList();
        var answers = Flat(await vectors.StreamUpsertVectors().ExchangeAsync(Messages(items, [100])));
        Assert.Equal([3, 93], answers.Index().Where(entry => entry.Item.Error?.Reason == "POINT_ON_HOLD").Select(entry => entry.Index));
        Assert.Equal(98, answers.Count(answer => answer.Ack is not null));
        Assert.Equal(90, (await vectors.CountVectorsAsync(new() { Collection = _collection }).Bound()).Count);
        var last = await vectors.GetVectorAsync(new() { Collection = _collection, PointId = "p9" }).Bound();
        Assert.Equal(100.0 / 2, last.Point.Vector[0] / last.Point.Vector[1], 3);
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task The_later_of_two_points_wins_also_if_the_write_of_the_earlier_one_is_repeated(string kind)
    {
        await using var started = await StartedStore.StartAsync(kind);
        var vectors = started.Server.Api.Vectors;
        await vectors.StreamUpsertVectors().ExchangeAsync([Items.Upsert(_collection, "held", [1, 2])]);
        await vectors.SetLegalHoldAsync(new() { Collection = _collection, PointIds = { "held" }, Hold = true }).Bound();
        // A refused point in each fifth message: these are written point by point, while later messages are written.
        var items = Enumerable.Range(0, 2000)
            .Select(i => Items.Upsert(_collection, i % 250 == 0 ? "held" : $"p{i % 70}", [i + 1, 2])).ToList();
        var answers = Flat(await vectors.StreamUpsertVectors().ExchangeAsync(Messages(items, Enumerable.Repeat(50, 40))));
        Assert.All(answers.Index(), entry => Assert.Equal(entry.Index % 250 == 0, entry.Item.Ack is null));
        for (var id = 0; id < 70; id++)
        {
            var expected = Enumerable.Range(0, 2000).Last(i => i % 250 != 0 && i % 70 == id) + 1;
            var stored = await vectors.GetVectorAsync(new() { Collection = _collection, PointId = $"p{id}" }).Bound();
            Assert.Equal(expected / 2.0, stored.Point.Vector[0] / stored.Point.Vector[1], expected * 1e-4);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(7)]
    public async Task Large_messages_pass_a_server_that_keeps_few_responses(int pending)
    {
        await using var small = await TestServer.StartAsync($"--Server:MaxPendingPerStream={pending}");
        var items = Enumerable.Range(0, 500).Select(i => Items.Upsert(_collection, $"p{i}", i % 3 == 0 ? [] : [1, 2])).ToList();
        var answers = Flat(await small.Api.Vectors.StreamUpsertVectors().ExchangeAsync(Messages(items, [250, 0, 249])));
        Assert.Equal(items.Select(item => item.ItemId), answers.Select(answer => answer.ItemId));
        Assert.All(answers.Index(), entry => Assert.Equal(entry.Index % 3 == 0, entry.Item.Error is not null));
    }

    [Fact]
    public async Task A_shutdown_in_the_middle_of_messages_ends_the_stream()
    {
        await using var stopped = await TestServer.StartAsync("--Server:MaxPendingPerStream=40");
        using var call = stopped.Api.Vectors.StreamUpsertVectors();
        var received = 0;
        var reading = Task.Run(async () =>
        {
            while (await call.ResponseStream.MoveNext(CancellationToken.None))
            {
                received += call.ResponseStream.Current.Items.Count(answer => answer.Ack is not null);
            }
        });
        var sending = Task.Run(async () =>
        {
            for (var i = 0; ; i++)
            {
                await call.RequestStream.WriteAsync(new()
                {
                    Items = { Enumerable.Range(0, 100).Select(item => Items.Upsert(_collection, $"p{i}-{item}", [1, 2])) },
                });
            }
        });
        await Bounds.UntilAsync(() => Volatile.Read(ref received) > 300);
        await stopped.StopAsync();
        await Assert.ThrowsAsync<RpcException>(() => reading.Bound());
        await Record.ExceptionAsync(() => sending.Bound());
    }

    [Fact]
    public async Task A_large_response_is_split_and_keeps_the_order()
    {
        var items = Enumerable.Range(0, 1000).Select(i => Items.EmbedFace($"{i}", SmallCrop(i % 50))).ToList();
        Assert.True(items.Sum(item => item.CalculateSize()) < StreamMessages.MaxBytes);
        var responses = await server.Api.Embedding.StreamEmbed().ExchangeAsync(Messages(items, [1000]));
        Assert.InRange(responses.Count, 2, 10);
        Assert.All(responses, response => Assert.InRange(response.CalculateSize(), 1, 2 << 20));
        Assert.Equal(items.Select(item => item.ItemId), Flat(responses).Select(answer => answer.ItemId));
        Assert.All(Flat(responses), answer => Assert.NotNull(answer.Embedding));
    }

    [Fact]
    public async Task Wrong_messages_end_the_stream_after_the_responses_to_earlier_items()
    {
        var item = Items.Upsert(_collection, "p", [1, 2]);
        await FailsAsync(
            new() { Items = { Enumerable.Repeat(item, StreamMessages.MaxItems + 1) } }, StatusCode.InvalidArgument, "FIELD_TOO_LONG");
        await FailsAsync(
            new() { Items = { Enumerable.Range(0, 1001).Select(_ => new StreamUpsertVectorsRequest()) } },
            StatusCode.InvalidArgument,
            "FIELD_TOO_LONG");
        await FailsAsync(new() { ItemId = "x", Items = { item } }, StatusCode.InvalidArgument, "FIELD_INVALID");
        await FailsAsync(new() { Point = Items.Point("q", [1]), Items = { item } }, StatusCode.InvalidArgument, "FIELD_INVALID");
        await FailsAsync(
            new() { Items = { item, new StreamUpsertVectorsRequest { Items = { item } } } }, StatusCode.InvalidArgument, "FIELD_INVALID");
        var large = Enumerable.Range(0, 3).Select(i => Items.Upsert(_collection, $"{i}", Items.Vector(i, 500_000)));
        await FailsAsync(new() { Items = { large } }, StatusCode.ResourceExhausted, "MESSAGE_TOO_LARGE");

        // The largest number, and items of the largest message.
        var many = await server.Api.Vectors.StreamUpsertVectors().ExchangeAsync(
            Messages(Enumerable.Range(0, 1000).Select(i => Items.Upsert(_collection, $"p{i}", [1, 2])).ToList(), [1000]));
        Assert.Equal(1000, Flat(many).Count(answer => answer.Ack is not null));
    }

    [Fact]
    public async Task Vectors_as_bytes_are_those_of_values()
    {
        var vector = Items.Vector(1, 37);
        var bytes = ByteString.CopyFrom(System.Runtime.InteropServices.MemoryMarshal.AsBytes<float>(vector));
        var point = new VectorPoint { PointId = "b", VectorF32 = bytes };
        await server.Api.Vectors.UpsertVectorsAsync(new() { Collection = _collection, Points = { Items.Point("a", vector), point } }).Bound();
        var list = new ListVectorsRequest { Collection = _collection, WithVectors = true };
        var values = (await server.Api.Vectors.ListVectorsAsync(list).Bound()).Points;
        Assert.All(values, stored => Assert.Equal(vector, stored.Vector));
        list.VectorsAsBytes = true;
        Assert.All((await server.Api.Vectors.ListVectorsAsync(list).Bound()).Points, stored =>
        {
            Assert.Equal(bytes, stored.VectorF32);
            Assert.Empty(stored.Vector);
        });
        var search = new SearchVectorsRequest { Collection = _collection, Queries = { new SearchQuery { Vector = new() { ValuesF32 = bytes } } } };
        Assert.All((await server.Api.Vectors.SearchVectorsAsync(search).Bound()).Results[0].Points, hit => Assert.Equal(1, hit.Score));

        await RejectedAsync(new() { PointId = "c", VectorF32 = ByteString.CopyFrom(bytes.Span[..^1]) }, "FIELD_INVALID", "points[0].vector_f32");
        await RejectedAsync(new() { PointId = "c", VectorF32 = bytes, Vector = { vector } }, "FIELD_INVALID", "points[0].vector_f32");
        await RejectedAsync(new() { PointId = "c", VectorF32 = ByteString.CopyFrom(bytes.Span[..^4]) }, "DIMENSION_MISMATCH", "points[0].vector");
        await RejectedAsync(new() { PointId = "c" }, "FIELD_REQUIRED", "points[0].vector");
        await RejectedAsync(
            new() { PointId = "c", VectorF32 = ByteString.CopyFrom([.. bytes.Span[..^4], 0, 0, 0xC0, 0x7F]) }, "VECTOR_NOT_FINITE", "points[0].vector");
    }

    private static Arbitrary<List<int>> MessageSizes() => Gen.ListOf(Gen.Frequency(
        (2, Gen.Constant(0)), (2, Gen.Choose(1, 4)), (3, Gen.Choose(1, 40)), (1, Gen.Choose(40, 300)))).Select(sizes => sizes.ToList()).ToArbitrary();

    // Items in messages of the sizes; 0 is the single form, and the rest is one message.
    private static IEnumerable<T> Messages<T>(List<T> items, IEnumerable<int> sizes)
        where T : IStreamMessage<T>, new()
    {
        var at = 0;
        foreach (var size in sizes.TakeWhile(_ => at < items.Count).ToList())
        {
            if (at == items.Count)
            {
                yield break;
            }
            if (size == 0)
            {
                yield return items[at++];
                continue;
            }
            yield return Message(items.Skip(at).Take(size));
            at = Math.Min(at + size, items.Count);
        }
        for (; at < items.Count; at += 50)
        {
            yield return Message(items.Skip(at).Take(50));
        }
    }

    private static T Message<T>(IEnumerable<T> items)
        where T : IStreamMessage<T>, new()
    {
        var message = new T();
        message.Items.AddRange(items);
        return message;
    }

    private static IEnumerable<int> Sizes(int items, IEnumerable<int> sizes)
    {
        foreach (var size in sizes)
        {
            if (items == 0)
            {
                yield break;
            }
            yield return Math.Min(size, items);
            items -= Math.Min(size, items);
        }
    }

    private static List<T> Flat<T>(IEnumerable<T> responses)
        where T : IStreamMessage<T> =>
        [.. responses.SelectMany(response => response.Items.Count > 0 ? response.Items : new RepeatedField<T> { response })];

    // Faces, images, crops that have to be decoded, and items that fail.
    private static StreamEmbedRequest EmbedItem(int i)
    {
        var item = (i % 10) switch
        {
            3 => Items.EmbedImage($"{i}", TestImages.Photo(i % 7)),
            4 => Items.EmbedImage($"{i}", TestImages.Encoded([1, 2, 3])),
            6 => new StreamEmbedRequest { ItemId = $"{i}" },
            8 => Items.EmbedFace($"{i}", TestImages.Crop(i % 32), "missing"),
            0 => Items.EmbedFace($"{i}", TestImages.Crop(i % 32)),
            _ => Items.EmbedFace($"{i}", SmallCrop(i % 32)),
        };
        item.VectorsAsBytes = i % 4 == 1;
        return item;
    }

    private static StreamUpsertVectorsRequest UpsertItem(string collection, int i)
    {
        // Some ids occur twice.
        var item = Items.Upsert(collection, $"p{i % 350}", Items.Vector(i, i % 11 == 3 ? 5 : 8));
        item.ItemId = $"{i}";
        if (i % 2 == 0)
        {
            item.Point.VectorF32 = ByteString.CopyFrom(System.Runtime.InteropServices.MemoryMarshal.AsBytes<float>(item.Point.Vector.ToArray()));
            item.Point.Vector.Clear();
        }
        if (i % 17 == 2)
        {
            item.Point.PointId = "";
        }
        return item;
    }

    private static string? ErrorOfUpsert(int i) => i % 17 == 2 ? "FIELD_REQUIRED" : i % 11 == 3 ? "DIMENSION_MISMATCH" : null;

    private static StreamIngestRequest IngestItem(string collection, int i)
    {
        var item = Items.IngestFace(collection, $"j{i % 60}", i % 2, TestImages.Crop(i % 32));
        item.ItemId = $"{i}";
        item.ReturnEmbedding = i % 3 != 0;
        item.VectorsAsBytes = i % 3 == 1;
        if (i % 13 == 5)
        {
            item.Face.JobId = "";
        }
        return item;
    }

    private static async Task<List<VectorPoint>> PointsAsync(Api api, string collection)
    {
        var page = await api.Vectors.ListVectorsAsync(new() { Collection = collection, PageSize = 1000, WithVectors = true }).Bound();
        Assert.Empty(page.NextPageToken);
        var points = page.Points.OrderBy(point => point.PointId, StringComparer.Ordinal).ToList();
        points.ForEach(point => point.StoredAt = null);
        return points;
    }

    private static void AssertSame(StreamEmbedResponse expected, StreamEmbedResponse actual)
    {
        Assert.Equal(expected.ItemId, actual.ItemId);
        Assert.Equal(expected.Error, actual.Error);
        Assert.Equal(expected.Embedding, actual.Embedding);
    }

    private static FaceCrop SmallCrop(int seed) =>
        new() { Image = TestImages.Encoded(TestImages.Encode(TestImages.Draw(seed, 112, 112), 112, 112, 3, ".jpg[Q=20]")) };

    private async Task FailsAsync(StreamUpsertVectorsRequest message, StatusCode code, string reason)
    {
        var good = Items.Upsert(_collection, "good", [1, 2]);
        using var call = server.Api.Vectors.StreamUpsertVectors();
        await call.RequestStream.WriteAsync(new() { Items = { good, good } }).Bound();
        await call.RequestStream.WriteAsync(message).Bound();
        Assert.Equal(2, Assert.Single(await call.ResponseStream.TakeAsync(1)).Items.Count(answer => answer.Ack is not null));
        var error = await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.DrainAsync());
        Assert.Equal((code, reason), (error.StatusCode, error.Reason()));
    }

    private async Task RejectedAsync(VectorPoint point, string reason, string field) =>
        await server.Api.Vectors.UpsertVectorsAsync(new() { Collection = _collection, Points = { point } })
            .FailsAsync(StatusCode.InvalidArgument, reason, field);
}
