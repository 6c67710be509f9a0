using System.Text.Json;
using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.Testing;
using Embeddings.V1;
using Grpc.Core;
using Struct = Google.Protobuf.WellKnownTypes.Struct;
using Value = Google.Protobuf.WellKnownTypes.Value;

namespace Embeddings.IntegrationTests;

/// <summary>Persons over the wire, with each store.</summary>
public sealed class PersonTests
{
    private const int Dimension = 32;
    private const float Threshold = 0.5f;

    public static TheoryData<string> Stores => StartedStore.All;

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task Persons_are_named_listed_merged_split_and_undone(string store)
    {
        await using var started = await StartedStore.StartAsync(store);
        var people = new People(started.Server.Api);
        // Numbered so that the best face of each person is its second one.
        await people.AddAsync(Enumerable.Range(0, 9).Select(i => Face($"f{i}", quality: i % 3 == 1 ? 0.9 : 0.5)));
        Assert.Equal(("", 9), await people.ListAsync());

        var anna = await people.NameAsync("Anna", "f0", "f1", "f2");
        var berta = await people.NameAsync("Ärzte \"\\ 人", "f3", "f4");
        await people.NameAsync("Cleo", "f5");
        Assert.Equal((3, 2), (anna.ChangedCount, berta.ChangedCount));
        Assert.Equal(("Anna 3 f1, Cleo 1 f5, Ärzte \"\\ 人 2 f4", 3), await people.ListAsync());
        // Named again: only one is new.
        Assert.Equal(1, (await people.NameAsync("Anna", "f0", "f1", "f6", "f6")).ChangedCount);
        var none = await people.NameAsync("Anna", "f0");
        Assert.Equal((0, ""), (none.ChangedCount, none.ChangeId));

        var merged = await people.Api.MergePersonsAsync(new() { Persons = { "Ärzte \"\\ 人", "Anna", "Cleo" }, Into = "Anna" }).Bound();
        Assert.Equal(3, merged.ChangedCount);
        Assert.Equal(("Anna 7 f1", 2), await people.ListAsync());
        // The attribute is an ordinary one: searches can filter by it.
        Assert.Equal(7, (await people.Vectors.CountVectorsAsync(new() { Collection = People.Collection, Filter = Named("Anna") }).Bound()).Count);

        var split = await people.Api.SplitPersonAsync(new() { Person = "Anna", PointIds = { "f0", "f3" }, NewPerson = "Dora" }).Bound();
        var unnamed = await people.Api.SplitPersonAsync(new() { Person = "Anna", PointIds = { "f1" } }).Bound();
        Assert.Equal((2, 1), (split.ChangedCount, unnamed.ChangedCount));
        Assert.Equal(("Anna 4 f4, Dora 2 f0", 3), await people.ListAsync());

        // Undone in another order: of the merge, the faces that were changed since are skipped.
        Assert.Equal((2, 1), await people.UndoAsync(merged.ChangeId));
        Assert.Equal(("Anna 2 f2, Cleo 1 f5, Dora 2 f0, Ärzte \"\\ 人 1 f4", 3), await people.ListAsync());
        Assert.Equal((1, 0), await people.UndoAsync(unnamed.ChangeId));
        Assert.Equal((2, 0), await people.UndoAsync(split.ChangeId));
        // f3 has the merge as its last change again.
        Assert.Equal((1, 0), await people.UndoAsync(merged.ChangeId));
        Assert.Equal((3, 0), await people.UndoAsync(anna.ChangeId));
        Assert.Equal(("Anna 1 f6, Cleo 1 f5, Ärzte \"\\ 人 2 f4", 5), await people.ListAsync());
        await people.Api.UndoPersonChangeAsync(new() { ChangeId = anna.ChangeId }).FailsAsync(StatusCode.NotFound, "PERSON_CHANGE_NOT_FOUND");
        await people.Api.UndoPersonChangeAsync(new() { ChangeId = "never" }).FailsAsync(StatusCode.NotFound, "PERSON_CHANGE_NOT_FOUND");

        // Nothing but the three attributes has changed.
        var face = (await people.Vectors.GetVectorAsync(new() { Collection = People.Collection, PointId = "f2" }).Bound()).Point;
        Assert.Equal(Face("f2", quality: 0.5).Payload, face.Payload);
        Assert.Equal(Items.Dimension, face.Vector.Count);
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task A_face_keeps_its_last_ten_changes(string store)
    {
        await using var started = await StartedStore.StartAsync(store);
        var people = new People(started.Server.Api);
        await people.AddAsync([Face("f")]);
        var changes = new List<string>();
        for (var i = 0; i < 13; i++)
        {
            changes.Add((await people.NameAsync($"P{i}", "f")).ChangeId);
        }

        var fields = (await people.Vectors.GetVectorAsync(new() { Collection = People.Collection, PointId = "f" }).Bound()).Point.Payload.Attributes.Fields;
        Assert.Equal(("P12", changes[12]), (fields["person"].StringValue, fields["person_change"].StringValue));
        var history = JsonDocument.Parse(fields["person_history"].StringValue).RootElement.EnumerateArray()
            .Select(entry => (entry.GetProperty("change").GetString(), entry.GetProperty("person").GetString()));
        Assert.Equal(Enumerable.Range(3, 10).Select(i => (changes[i], $"P{i - 1}")), history!);

        foreach (var i in Enumerable.Range(3, 10).Reverse())
        {
            Assert.Equal((1, 0), await people.UndoAsync(changes[i]));
        }
        Assert.Equal(("P2 1 f", 0), await people.ListAsync());
        await people.Api.UndoPersonChangeAsync(new() { ChangeId = changes[2] }).FailsAsync(StatusCode.NotFound, "PERSON_CHANGE_NOT_FOUND");
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task A_change_that_is_refused_changes_nothing(string store)
    {
        await using var started = await StartedStore.StartAsync(store);
        var people = new People(started.Server.Api);
        await people.AddAsync(Enumerable.Range(0, 6).Select(i => Face($"f{i}")));
        await people.NameAsync("Anna", "f0", "f1");
        await people.NameAsync("Berta", "f2");
        const string Expected = "Anna 2 f0, Berta 1 f2";

        var missing = await people.Api.NamePersonAsync(new() { Person = "X", PointIds = { "f0", "gone" } }).FailsAsync(StatusCode.NotFound, "POINT_NOT_FOUND");
        Assert.Contains("'gone'", missing.Status.Detail, StringComparison.Ordinal);
        var person = await people.Api.MergePersonsAsync(new() { Persons = { "Anna", "Nobody" }, Into = "X" }).FailsAsync(StatusCode.NotFound, "PERSON_NOT_FOUND");
        Assert.Equal("Nobody", person.Detail<Google.Rpc.ResourceInfo>()!.ResourceName);
        await people.Api.SplitPersonAsync(new() { Person = "Anna", PointIds = { "f0", "f2" } }).FailsAsync(StatusCode.FailedPrecondition, "PERSON_MISMATCH");
        await people.Api.SplitPersonAsync(new() { Person = "Anna", PointIds = { "f0", "f5" }, NewPerson = "X" }).FailsAsync(StatusCode.FailedPrecondition, "PERSON_MISMATCH");
        await people.Api.SplitPersonAsync(new() { Person = "Anna", PointIds = { "f0", "gone" } }).FailsAsync(StatusCode.NotFound, "POINT_NOT_FOUND");

        Assert.Equal((Expected, 3), await people.ListAsync());
        foreach (var call in (Func<Task>[])[
            () => people.Api.ListPersonsAsync(new() { Collection = "none" }).FailsAsync(StatusCode.NotFound, "COLLECTION_NOT_FOUND"),
            () => people.Api.NamePersonAsync(new() { Collection = "none", Person = "X", PointIds = { "f0" } }).FailsAsync(StatusCode.NotFound, "COLLECTION_NOT_FOUND"),
            () => people.Api.MergePersonsAsync(new() { Collection = "none", Persons = { "X" }, Into = "X" }).FailsAsync(StatusCode.NotFound, "COLLECTION_NOT_FOUND"),
            () => people.Api.SplitPersonAsync(new() { Collection = "none", Person = "X", PointIds = { "f0" } }).FailsAsync(StatusCode.NotFound, "COLLECTION_NOT_FOUND"),
            () => people.Api.UndoPersonChangeAsync(new() { Collection = "none", ChangeId = "X" }).FailsAsync(StatusCode.NotFound, "COLLECTION_NOT_FOUND"),
            () => Errors.FailsAsync(() => people.ClusterAsync(new() { Collection = "none", Threshold = 0.5f }), StatusCode.NotFound, "COLLECTION_NOT_FOUND")])
        {
            await call();
        }
    }

    [Fact]
    public async Task Requests_that_are_not_valid_get_a_typed_error()
    {
        await using var server = await TestServer.StartAsync();
        var people = new People(server.Api);
        await people.AddAsync([Face("f0")]);
        var api = people.Api;
        string[] bad = [" x", "x ", "\t", "a\nb", "a\u0085b", "\u3000"];
        foreach (var name in bad)
        {
            await api.NamePersonAsync(new() { Person = name, PointIds = { "f0" } }).FailsAsync(StatusCode.InvalidArgument, "FIELD_INVALID", "person");
            await api.MergePersonsAsync(new() { Persons = { "x" }, Into = name }).FailsAsync(StatusCode.InvalidArgument, "FIELD_INVALID", "into");
            await api.SplitPersonAsync(new() { Person = "x", PointIds = { "f0" }, NewPerson = name }).FailsAsync(StatusCode.InvalidArgument, "FIELD_INVALID", "new_person");
        }
        await api.NamePersonAsync(new() { Person = "a\0", PointIds = { "f0" } }).FailsAsync(StatusCode.InvalidArgument, "FIELD_INVALID", "person");
        await api.NamePersonAsync(new() { PointIds = { "f0" } }).FailsAsync(StatusCode.InvalidArgument, "FIELD_REQUIRED", "person");
        await api.NamePersonAsync(new() { Person = new string('é', 129), PointIds = { "f0" } }).FailsAsync(StatusCode.InvalidArgument, "FIELD_TOO_LONG", "person");
        await api.NamePersonAsync(new() { Person = new string('é', 128), PointIds = { "f0" } }).Bound();
        await api.NamePersonAsync(new() { Person = "x" }).FailsAsync(StatusCode.InvalidArgument, "FIELD_REQUIRED", "point_ids");
        await api.NamePersonAsync(new() { Person = "x", PointIds = { "f0", "" } }).FailsAsync(StatusCode.InvalidArgument, "FIELD_REQUIRED", "point_ids[1]");
        await api.NamePersonAsync(new() { Person = "x", PointIds = { Enumerable.Range(0, 10_001).Select(i => $"{i}") } })
            .FailsAsync(StatusCode.InvalidArgument, "FIELD_TOO_LONG", "point_ids");
        await api.SplitPersonAsync(new() { Person = "x", PointIds = { Enumerable.Range(0, 10_001).Select(i => $"{i}") } })
            .FailsAsync(StatusCode.InvalidArgument, "FIELD_TOO_LONG", "point_ids");
        await api.SplitPersonAsync(new() { PointIds = { "f0" } }).FailsAsync(StatusCode.InvalidArgument, "FIELD_REQUIRED", "person");
        await api.SplitPersonAsync(new() { Person = "x", PointIds = { "f0" }, NewPerson = "x" }).FailsAsync(StatusCode.InvalidArgument, "FIELD_INVALID", "new_person");
        await api.MergePersonsAsync(new() { Into = "x" }).FailsAsync(StatusCode.InvalidArgument, "FIELD_REQUIRED", "persons");
        await api.MergePersonsAsync(new() { Persons = { "" }, Into = "x" }).FailsAsync(StatusCode.InvalidArgument, "FIELD_REQUIRED", "persons[0]");
        await api.MergePersonsAsync(new() { Persons = { Enumerable.Range(0, 101).Select(i => $"{i}") }, Into = "x" })
            .FailsAsync(StatusCode.InvalidArgument, "FIELD_TOO_LONG", "persons");
        await api.UndoPersonChangeAsync(new()).FailsAsync(StatusCode.InvalidArgument, "FIELD_REQUIRED", "change_id");
        await api.ListPersonsAsync(new() { PageSize = 1001 }).FailsAsync(StatusCode.InvalidArgument, "FIELD_INVALID", "page_size");
        await api.ListPersonsAsync(new() { PageToken = "x" }).FailsAsync(StatusCode.InvalidArgument, "PAGE_TOKEN_INVALID", "page_token");
        await api.ListPersonsAsync(new() { Collection = "../x" }).FailsAsync(StatusCode.InvalidArgument, "FIELD_INVALID", "collection");
        foreach (var threshold in (float[])[-1.01f, 1.01f, float.NaN, float.PositiveInfinity])
        {
            await FailsAsync(new() { Threshold = threshold }, "FIELD_INVALID", "threshold");
        }
        await FailsAsync(new() { Threshold = 0, MinFaces = 1001 }, "FIELD_INVALID", "min_faces");
        await FailsAsync(new() { Threshold = 0, MinFaces = -1 }, "FIELD_INVALID", "min_faces");
        await FailsAsync(new() { Threshold = 0, Filter = new() { Attributes = { new AttributeCondition { Key = "x" } } } }, "FIELD_REQUIRED", "filter.attributes[0]");
        // The model of the collection is not known.
        await FailsAsync(new(), "FIELD_REQUIRED", "threshold");

        async Task FailsAsync(ClusterFacesRequest request, string reason, string field) =>
            await Errors.FailsAsync(() => people.ClusterAsync(request), StatusCode.InvalidArgument, reason, field);
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task Pages_have_each_person_once_in_ordinal_order_with_all_its_faces(string store)
    {
        await using var started = await StartedStore.StartAsync(store);
        var people = new People(started.Server.Api);
        var random = new Random(1);
        string[] names = [.. Enumerable.Range(0, 57).Select(i => $"{(i % 2 == 0 ? "p" : "P")}{i}"), "é", "人", new string('n', 200)];
        var faces = Enumerable.Range(0, 1500)
            .Select(i => (Id: $"f{i:D4}", Name: i < names.Length ? names[i] : random.Next(5) == 0 ? null : names[random.Next(names.Length)], Quality: random.Next(4) / 4.0))
            .ToList();
        await people.AddAsync(faces.Select(face => Face(face.Id, quality: face.Quality, attributes: face.Name is null ? [] : [("person", Value.ForString(face.Name))])));
        // Values that are no names.
        await people.AddAsync([
            Face("number", attributes: [("person", Value.ForNumber(5))]),
            Face("list", attributes: [("person", Value.ForList(Value.ForString("x")))]),
            Face("empty", attributes: [("person", Value.ForString(""))]),
            Face("null", attributes: [("person", Value.ForNull())])]);

        foreach (var size in (int[])[1, 7, 60, 1000])
        {
            var pages = new List<ListPersonsResponse>();
            do
            {
                pages.Add(await people.Api.ListPersonsAsync(new() { PageSize = size, PageToken = pages is [.., var last] ? last.NextPageToken : "" }).Bound());
            }
            while (pages[^1].NextPageToken.Length > 0);

            var expected = faces.Where(face => face.Name is not null).GroupBy(face => face.Name!).OrderBy(group => group.Key, StringComparer.Ordinal)
                .Select(group => (group.Key, (long)group.Count(), group.OrderByDescending(face => face.Quality).ThenBy(face => face.Id, StringComparer.Ordinal).First().Id));
            Assert.Equal(expected, pages.SelectMany(page => page.Persons).Select(person => (person.Name, person.FaceCount, person.Cover.PointId)));
            Assert.All(pages, page => Assert.Equal(faces.Count(face => face.Name is null) + 4, page.UnnamedCount));
            Assert.Equal((names.Length + size - 1) / size, pages.Count);
            Assert.All(pages.SelectMany(page => page.Persons), person => Assert.Empty(person.Cover.Vector));
        }
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task Concurrent_changes_are_made_one_after_the_other(string store)
    {
        await using var started = await StartedStore.StartAsync(store);
        var people = new People(started.Server.Api);
        string[] ids = [.. Enumerable.Range(0, 20).Select(i => $"f{i:D2}")];
        await people.AddAsync(ids.Select(id => Face(id)));

        var changes = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => Task.Run(() => people.NameAsync($"P{i}", ids))));

        Assert.All(changes, change => Assert.Equal(20, change.ChangedCount));
        var person = Assert.Single((await people.Api.ListPersonsAsync(new()).Bound()).Persons);
        Assert.Equal(20, person.FaceCount);
        // Each change knows the person of the one before it, so they can be undone one after the other.
        var undone = 0;
        for (var left = changes.ToList(); left.Count > 0; undone++)
        {
            var face = (await people.Vectors.GetVectorAsync(new() { Collection = People.Collection, PointId = "f00" }).Bound()).Point;
            var change = left.Single(change => change.ChangeId == face.Payload.Attributes.Fields["person_change"].StringValue);
            Assert.Equal((20, 0), await people.UndoAsync(change.ChangeId));
            left.Remove(change);
        }
        Assert.Equal(8, undone);
        Assert.Equal(("", 20), await people.ListAsync());
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task Faces_are_grouped_named_and_the_names_undone(string store)
    {
        await using var started = await StartedStore.StartAsync(store);
        var people = new People(started.Server.Api);
        await people.AddAsync(Photos(people: 12, photos: 100, first: 0));
        // Siblings, closer than the threshold, who are in each other's photos only.
        var sibling = Items.Vector(777, Dimension);
        await people.AddAsync(Enumerable.Range(0, 8).SelectMany(i => (VectorPoint[])[
            Face($"S-{i}", job: $"siblings{i}", index: 0, vector: Near(sibling, 0.2, i)),
            Face($"T-{i}", job: $"siblings{i}", index: 1, vector: Near(Near(sibling, 0.3, 99), 0.2, 50 + i))]));

        var proposed = await people.ClusterAsync(new() { Threshold = Threshold });
        Assert.Equal((14, 116, 0, ""), Summary(proposed));
        Assert.All(proposed.Groups, group => Assert.Equal("", group.Person));
        AssertOnePersonEach(proposed);
        Assert.Equal(("", 116), await people.ListAsync());

        var named = await people.ClusterAsync(new() { Threshold = Threshold, Apply = true });
        Assert.Equal(proposed.Groups.Select(Key), named.Groups.Select(Key));
        Assert.Equal(Enumerable.Range(1, 14).Select(i => $"person-{i}"), named.Groups.Select(group => group.Person));
        var listed = (await people.Api.ListPersonsAsync(new()).Bound()).Persons;
        Assert.Equal(
            named.Groups.Select(group => (group.Person, group.FaceCount, group.Cover.PointId)).Order(),
            listed.Select(person => (person.Name, person.FaceCount, person.Cover.PointId)).Order());

        // Again: everybody is known.
        var again = await people.ClusterAsync(new() { Threshold = Threshold, Apply = true });
        Assert.Equal(named.Groups.Select(Key), again.Groups.Select(Key));
        Assert.DoesNotContain(again.Groups.SelectMany(group => group.Faces), face => face.Joined);
        Assert.Equal("", again.Summary.ChangeId);

        Assert.Equal((116, 0), await people.UndoAsync(named.Summary.ChangeId));
        Assert.Equal(("", 116), await people.ListAsync());
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task New_faces_join_named_persons_and_numbers_in_use_are_skipped(string store)
    {
        await using var started = await StartedStore.StartAsync(store);
        var people = new People(started.Server.Api);
        await people.AddAsync(Photos(people: 4, photos: 24, first: 0));
        await people.ClusterAsync(new() { Threshold = Threshold, Apply = true });
        await people.Api.MergePersonsAsync(new() { Persons = { "person-1" }, Into = "Anna" }).Bound();
        await people.Api.MergePersonsAsync(new() { Persons = { "person-3" }, Into = "person-6" }).Bound();
        var before = await people.NamesAsync();

        // Six people, two of them new, and one face alone.
        await people.AddAsync(Photos(people: 6, photos: 60, first: 1000));
        await people.AddAsync([Face("alone-0", vector: Items.Vector(5555, Dimension))]);
        var grouped = await people.ClusterAsync(new() { Threshold = Threshold, Apply = true, MinFaces = 2 });

        Assert.Equal((6, 84, 1), (grouped.Summary.PersonCount, grouped.Summary.GroupedCount, grouped.Summary.UngroupedCount));
        var after = await people.NamesAsync();
        Assert.All(before, face => Assert.Equal(face.Value, after[face.Key]));
        Assert.Equal(["Anna", "person-1", "person-2", "person-3", "person-4", "person-6"], after.Values.Distinct().Order(StringComparer.Ordinal));
        AssertOnePersonEach(grouped);
        Assert.Equal(60, grouped.Groups.Sum(group => group.Faces.Count(face => face.Joined)));
        Assert.False(after.ContainsKey("alone-0"));

        // A filter groups only what it matches; numbers outside of it stay in use.
        await people.AddAsync([Face("only-0", job: "only", vector: Items.Vector(6666, Dimension)), Face("only-1", job: "only too", vector: Items.Vector(6666, Dimension))]);
        var filtered = await people.ClusterAsync(new()
        {
            Threshold = Threshold,
            Apply = true,
            MinFaces = 2,
            Filter = new() { Attributes = { new AttributeCondition { Key = "person", Exists = false } } },
        });
        Assert.Equal(["person-5"], filtered.Groups.Select(group => group.Person));
        Assert.Equal((1, 2, 1), (filtered.Summary.PersonCount, filtered.Summary.GroupedCount, filtered.Summary.UngroupedCount));
        // Undone: only what joined.
        Assert.Equal((60, 0), await people.UndoAsync(grouped.Summary.ChangeId));
        Assert.Equal(before.Count + 2, (await people.NamesAsync()).Count);
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task Real_faces_are_grouped_by_person(string store)
    {
        Assert.SkipWhen(TrainedModels.Missing is not null, TrainedModels.Missing ?? "");
        Assert.SkipWhen(Material.Missing is not null, Material.Missing ?? "");
        await using var started = await StartedStore.StartAsync(store, null, "--Models:UseDefaults=true");
        var api = started.Server.Api;
        var crops = Directory.GetFiles(Material.Path("crops"), "*.png").Order(StringComparer.Ordinal).ToList();
        Assert.Equal(29, crops.Count);
        var answers = await api.Ingest.StreamIngest().ExchangeAsync(crops.Select(file =>
        {
            var crop = new FaceCrop { Image = TestImages.Encoded(File.ReadAllBytes(file)) };
            var request = Items.IngestFace(People.Collection, Path.GetFileNameWithoutExtension(file), 0, crop);
            request.Model = "mobilefacenet";
            return request;
        }));
        Assert.All(answers, answer => Assert.True(answer.Ack is not null, $"{answer.Error}"));

        // With the threshold of the model.
        var people = new People(api);
        var clusters = await people.ClusterAsync(new() { Apply = true });

        Assert.Equal(0.509, clusters.Summary.Threshold, 0.005);
        var cells = clusters.Groups.SelectMany(group => group.Faces.Select(face => (group.Person, Name: face.PointId.Split("__")[0]))).ToList();
        var together = cells.GroupBy(cell => cell).Sum(cell => Pairs(cell.Count()));
        Assert.Equal(1, together / cells.GroupBy(cell => cell.Person).Sum(cell => Pairs(cell.Count())));
        Assert.InRange(together / cells.GroupBy(cell => cell.Name).Sum(cell => Pairs(cell.Count())), 0.95, 1);
        Assert.Equal(29, cells.Count);
        // The names are stored.
        Assert.Equal(
            clusters.Groups.SelectMany(group => group.Faces.Select(face => (face.PointId, group.Person))).Order(),
            (await people.NamesAsync()).Select(face => (face.Key, face.Value)).Order());

        static double Pairs(int count) => count * (count - 1.0) / 2;
    }

    [Fact]
    public async Task A_collection_above_the_limit_is_refused()
    {
        await using var server = await TestServer.StartAsync("--Persons:MaxClusterFaces=20");
        var people = new People(server.Api);
        await people.AddAsync(Enumerable.Range(0, 21).Select(i => Face($"f{i}")));

        var error = await Errors.FailsAsync(() => people.ClusterAsync(new() { Threshold = 0.5f }), StatusCode.ResourceExhausted, "TOO_MANY_FACES");
        Assert.Contains("at most 20 faces (Persons:MaxClusterFaces); 21 match", error.Status.Detail, StringComparison.Ordinal);
        await people.Vectors.DeleteVectorsAsync(new() { Collection = People.Collection, PointIds = { "f0" } }).Bound();
        Assert.Equal(20, (await people.ClusterAsync(new() { Threshold = 0.5f })).Summary.GroupedCount);
    }

    [Fact]
    public async Task A_grouping_that_does_not_fit_into_memory_is_refused_and_a_cancelled_one_ends()
    {
        await using var server = await TestServer.StartAsync();
        var people = new People(server.Api);
        await people.AddAsync(Photos(people: 50, photos: 5000, first: 0));
        using (var call = people.Api.ClusterFaces(new() { Threshold = Threshold }))
        {
            Assert.True(await call.ResponseStream.MoveNext(CancellationToken.None).Bound());
            Assert.Equal(5000, call.ResponseStream.Current.Progress.TotalCount);
        }
        // The turn is free again.
        var grouped = await people.ClusterAsync(new() { Threshold = Threshold, MinFaces = 10 });
        Assert.Equal(50, grouped.Summary.PersonCount);
        Assert.Equal(5000, grouped.Progress[^1].ComparedCount);
        Assert.Equal((0, 5000), (server.Get<Core.Memory.MemoryBudget>().Used, grouped.Progress[^1].ReadCount));

        await using var small = await TestServer.StartAsync("--Memory:LimitBytes=67108864");
        var crowd = new People(small.Api);
        await crowd.AddAsync(Enumerable.Range(0, 3000).Select(i => Face($"{i}", vector: [1, i])));
        var error = await Errors.FailsAsync(() => crowd.ClusterAsync(new() { Threshold = 0.5f }), StatusCode.ResourceExhausted, "TOO_MANY_FACES");
        Assert.Contains("Memory:LimitBytes", error.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Damaged_histories_are_no_problem()
    {
        await using var server = await TestServer.StartAsync();
        var people = new People(server.Api);
        string[] histories = ["", "x", "{}", "[1]", "[null]", "[{}]", "[{\"change\":1}]", new string('[', 5000), "[{\"change\":\"other\",\"person\":null}]"];
        await people.AddAsync(histories.Select((history, i) => Face(
            $"f{i}", attributes: [("person", Value.ForString("A")), ("person_change", Value.ForString("c")), ("person_history", Value.ForString(history))])));

        Assert.Equal((0, histories.Length), await people.UndoAsync("c"));
        var change = await people.NameAsync("B", [.. histories.Select((_, i) => $"f{i}")]);
        Assert.Equal(histories.Length, change.ChangedCount);
        Assert.Equal((histories.Length, 0), await people.UndoAsync(change.ChangeId));
        Assert.Equal(("A 9 f0", 0), await people.ListAsync());
    }

    private static (long, long, long, string) Summary(Clusters clusters) =>
        (clusters.Summary.PersonCount, clusters.Summary.GroupedCount, clusters.Summary.UngroupedCount, clusters.Summary.ChangeId);

    private static string Key(Group group) => string.Join(',', group.Faces.Select(face => face.PointId).Order(StringComparer.Ordinal));

    // Ids begin with the person.
    private static void AssertOnePersonEach(Clusters clusters)
    {
        Assert.All(clusters.Groups, group => Assert.Single(group.Faces.Select(face => face.PointId.Split('-')[0]).Distinct()));
        Assert.Equal(clusters.Groups.Count, clusters.Groups.Select(group => group.Faces[0].PointId.Split('-')[0]).Distinct().Count());
        Assert.Equal(clusters.Groups.OrderByDescending(group => group.FaceCount).Select(group => group.FaceCount), clusters.Groups.Select(group => group.FaceCount));
    }

    /// <summary>Faces of people in photos of two, in changing pairs.</summary>
    private static IEnumerable<VectorPoint> Photos(int people, int photos, int first) => Enumerable.Range(0, photos).Select(i =>
    {
        var photo = i / 2;
        var person = (photo + (i % 2 == 0 ? 0 : 1 + (photo / people % (people - 1)))) % people;
        return Face($"p{person}-{first + i}", job: $"photo{first + photo}", index: i % 2, quality: 0.5 + (i % 5 * 0.1), vector: Near(Items.Vector(person, Dimension), 0.4, first + i));
    });

    private static VectorPoint Face(
        string id,
        string? job = null,
        int index = 0,
        double? quality = null,
        float[]? vector = null,
        params (string Key, Value Value)[] attributes)
    {
        var fields = new Struct();
        if (quality is { } known)
        {
            fields.Fields["face_quality"] = Value.ForNumber(known);
        }
        foreach (var (key, value) in attributes)
        {
            fields.Fields[key] = value;
        }
        return Items.Point(id, vector ?? Items.Vector(id.GetHashCode(StringComparison.Ordinal), Dimension), new()
        {
            JobId = job ?? $"job of {id}",
            FaceIndex = index,
            Attributes = fields.Fields.Count > 0 ? fields : null,
        });
    }

    /// <summary>A vector near another one, whose values are random.</summary>
    private static float[] Near(float[] vector, double noise, int seed)
    {
        var random = Items.Vector(100_000 + seed, vector.Length);
        return [.. vector.Zip(random, (value, other) => value + (float)(noise * other))];
    }

    private static Filter Named(string person) => new() { Attributes = { new AttributeCondition { Key = "person", Text = person } } };

    /// <summary>A person of a response.</summary>
    private sealed record Group(string Person, long FaceCount, VectorPoint Cover, List<ClusteredFace> Faces);

    private sealed record Clusters(List<ClusterProgress> Progress, List<Group> Groups, ClusterSummary Summary);

    /// <summary>The persons of the default collection.</summary>
    private sealed class People(Api api)
    {
        public const string Collection = "face_embeddings";

        public PersonService.PersonServiceClient Api => api.Persons;

        public VectorStoreService.VectorStoreServiceClient Vectors => api.Vectors;

        public async Task AddAsync(IEnumerable<VectorPoint> faces)
        {
            foreach (var chunk in faces.Chunk(1000))
            {
                // The test models have other dimensions than these vectors.
                await api.Vectors.UpsertVectorsAsync(new() { Collection = Collection, Points = { chunk.Select(Pad) } }).Bound();
            }
        }

        public async Task<NamePersonResponse> NameAsync(string person, params string[] ids) =>
            await Api.NamePersonAsync(new() { Person = person, PointIds = { ids } }).Bound();

        public async Task<(long Restored, long Skipped)> UndoAsync(string change)
        {
            var undone = await Api.UndoPersonChangeAsync(new() { ChangeId = change }).Bound();
            return (undone.RestoredCount, undone.SkippedCount);
        }

        /// <summary>Names, counts and covers, and the number of faces without a person.</summary>
        public async Task<(string Persons, long Unnamed)> ListAsync()
        {
            var list = await Api.ListPersonsAsync(new()).Bound();
            return (string.Join(", ", list.Persons.Select(person => $"{person.Name} {person.FaceCount} {person.Cover.PointId}")), list.UnnamedCount);
        }

        /// <summary>The person of each face that has one.</summary>
        public async Task<Dictionary<string, string>> NamesAsync()
        {
            var page = await api.Vectors.ListVectorsAsync(new()
            {
                Collection = Collection,
                PageSize = 1000,
                Filter = new() { Attributes = { new AttributeCondition { Key = "person", Exists = true } } },
            }).Bound();
            Assert.Empty(page.NextPageToken);
            return page.Points.ToDictionary(point => point.PointId, point => point.Payload.Attributes.Fields["person"].StringValue);
        }

        public async Task<Clusters> ClusterAsync(ClusterFacesRequest request)
        {
            using var call = Api.ClusterFaces(request);
            var messages = await call.ResponseStream.DrainAsync();
            var progress = messages.TakeWhile(message => message.Progress is not null).Select(message => message.Progress).ToList();
            var persons = messages.Skip(progress.Count).TakeWhile(message => message.Person is not null).Select(message => message.Person).ToList();
            Assert.Equal(messages.Count, progress.Count + persons.Count + 1);
            Assert.NotEmpty(progress);
            Assert.All(progress.Zip(progress.Skip(1)), pair => Assert.True(
                pair.Second.ReadCount >= pair.First.ReadCount && pair.Second.ComparedCount >= pair.First.ComparedCount));
            Assert.Equal(progress[^1].TotalCount, progress[^1].ComparedCount);
            Assert.All(persons, person => Assert.InRange(person.Faces.Count, 1, 1000));
            var groups = persons.GroupBy(person => person.Index).Select(parts => new Group(
                Assert.Single(parts.Select(part => part.Person).Distinct()),
                Assert.Single(parts.Select(part => part.FaceCount).Distinct()),
                parts.First().Cover,
                [.. parts.SelectMany(part => part.Faces)])).ToList();
            Assert.Equal(Enumerable.Range(0, groups.Count), persons.Select(person => person.Index).Distinct());
            Assert.All(groups, group => Assert.Equal(group.FaceCount, group.Faces.Count));
            return new(progress, groups, messages[^1].Summary);
        }

        private static VectorPoint Pad(VectorPoint point)
        {
            point.Vector.AddRange(Enumerable.Repeat(0f, Items.Dimension - point.Vector.Count));
            return point;
        }
    }
}
