using System.Text.RegularExpressions;
using Embeddings.V1;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace Embeddings.Cli.Tests.Photos;

/// <summary>people and the commands below it, against a double of the server.</summary>
public sealed class PeopleCommandTests : IAsyncLifetime
{
    private const string Faces = "face_embeddings";

    private readonly TempFolder _folder = new();
    private FacesDouble _server = null!;

    public async ValueTask InitializeAsync() => _server = await FacesDouble.StartAsync();

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task Persons_are_printed_with_the_ids_of_their_faces()
    {
        AnswerCluster();
        var result = await _server.RunAsync("people", "--threshold", "0.5", "--min-faces", "2", "-c", "family", "--attribute", "year=2024");
        Assert.Equal((ExitCode.Done, ""), (result.ExitCode, result.Error));
        Assert.Equal(
        [
            "person\tfaces\tnew\tpoints",
            "Ada\t7\t1\ta-0 b-0 c-0 d-0 e-0 and 2 more",
            "(unnamed 2)\t2\t2\th-0 i-0",
            "2 persons, 9 faces, 1 face in no person; threshold 0.500",
            "nothing is stored; 'embeddings people --apply' stores it, 'embeddings people name NAME POINT...' names faces",
        ],
        result.Lines);
        var request = _server.Last<ClusterFacesRequest>();
        Assert.Equal(("family", 0.5f, 2, false), (request.Collection, request.Threshold, request.MinFaces, request.Apply));
        Assert.Equal(2024, request.Filter.Attributes[0].Number);
    }

    [Fact]
    public async Task Applied_persons_can_be_undone_and_json_has_all_faces()
    {
        AnswerCluster("c-1");
        var result = await _server.RunAsync("people", "--apply");
        Assert.Equal("stored as change c-1; 'embeddings people undo c-1' reverts it", result.Lines[^1]);
        Assert.True(_server.Last<ClusterFacesRequest>().Apply);
        Assert.False(_server.Last<ClusterFacesRequest>().HasThreshold);

        var json = (await _server.RunAsync("people", "--json")).Objects;
        Assert.Equal(3, json.Count);
        Assert.Equal(["Ada", "7", "a-0", "0.5", "false"], json[0].Texts("person", "face_count", "faces.0.point_id", "faces.0.similarity", "faces.0.joined"));
        Assert.Equal(7, json[0].At("faces").GetArrayLength());
        Assert.Equal(["2", "9", "1", "c-1"], json[2].At("summary").Texts("person_count", "grouped_count", "ungrouped_count", "change_id"));
    }

    [Fact]
    public async Task The_report_has_the_faces_of_the_photos_that_exist()
    {
        AnswerCluster();
        _folder.Write("photos/a.jpg", TestImages.Jpeg(1));
        var points = "abcdefghi".Select(name => new VectorPoint
        {
            PointId = $"{name}-0",
            Payload = new()
            {
                Bbox = new() { X = 20, Y = 20, Width = 60, Height = 60 },
                Attributes = new() { Fields = { ["path"] = Value.ForString(name == 'i' ? "missing.jpg" : "a.jpg") } },
            },
        });
        _server.Answer(_ => new ListVectorsResponse { Points = { points } });
        var report = _folder.File("people.html");
        var result = await _server.RunAsync("people", "--report", report, "--photos", _folder.File("photos"));
        Assert.Equal((ExitCode.Done, $"written {report}"), (result.ExitCode, result.Lines[^1]));
        var note = Assert.Single(result.ErrorLines);
        Assert.StartsWith("1 face without a thumbnail, for example because photo missing.jpg was not found.", note, StringComparison.Ordinal);
        var page = File.ReadAllText(report);
        Assert.Equal(8, Regex.Count(page, "src=\"data:image/jpeg;base64,[A-Za-z0-9+/=]{500,}\""));
        Assert.Contains("photo missing.jpg was not found", page, StringComparison.Ordinal);
        Assert.False(_server.Last<ListVectorsRequest>().WithVectors);
    }

    [Fact]
    public async Task Persons_are_listed_page_by_page()
    {
        _server.Answer(request =>
        {
            var ada = new Person { Name = "Ada", FaceCount = 2, Cover = new() { PointId = "a-0" } };
            var bob = new Person { Name = "B\u001b[31mob", FaceCount = 1, Cover = new() { PointId = "b-0" } };
            return ((ListPersonsRequest)request).PageToken.Length == 0
                ? new ListPersonsResponse { Persons = { ada }, NextPageToken = "2", UnnamedCount = 3 }
                : new ListPersonsResponse { Persons = { bob }, UnnamedCount = 3 };
        });
        var result = await _server.RunAsync("people", "list", "-c", "family");
        Assert.Equal(["person\tfaces\tcover", "Ada\t2\ta-0", "B [31mob\t1\tb-0", "2 persons, 3 faces without a name"], result.Lines);
        var json = (await _server.RunAsync("people", "list", "--json")).Objects;
        Assert.Equal(3, json.Count);
        Assert.Equal(["Ada", "a-0"], json[0].Texts("name", "cover.point_id"));
        Assert.Equal(["2", "3"], json[2].Texts("summary.persons", "summary.unnamed_count"));
    }

    [Fact]
    public async Task Changes_print_their_id()
    {
        _server.Answer(request => new NamePersonResponse { ChangeId = "c1", ChangedCount = ((NamePersonRequest)request).PointIds.Count });
        _server.Answer(_ => new MergePersonsResponse { ChangeId = "c2", ChangedCount = 3 });
        _server.Answer(_ => new SplitPersonResponse { ChangeId = "c3", ChangedCount = 0 });
        _server.Answer(_ => new UndoPersonChangeResponse { RestoredCount = 2, SkippedCount = 1 });
        await AssertPrintsAsync("2 faces changed; 'embeddings people undo c1' reverts it", "name", "Ada", "a-0", "b-0");
        Assert.Equal(new() { Collection = Faces, Person = "Ada", PointIds = { "a-0", "b-0" } }, _server.Last<NamePersonRequest>());
        await AssertPrintsAsync("3 faces changed; 'embeddings people undo c2' reverts it", "merge", "Ada", "Bob", "--into", "Cleo");
        Assert.Equal(new() { Collection = Faces, Persons = { "Ada", "Bob" }, Into = "Cleo" }, _server.Last<MergePersonsRequest>());
        await AssertPrintsAsync("no face changed", "split", "Ada", "a-0", "--to", "Bob");
        Assert.Equal(
            new() { Collection = Faces, Person = "Ada", PointIds = { "a-0" }, NewPerson = "Bob" }, _server.Last<SplitPersonRequest>());
        await AssertPrintsAsync("2 faces restored, 1 face changed again since and left as they are", "undo", "c1");
        Assert.Equal("c1", _server.Last<UndoPersonChangeRequest>().ChangeId);
        var json = Assert.Single((await _server.RunAsync("people", "name", "Ada", "a-0", "--json")).Objects);
        Assert.Equal(["c1", "1"], json.Texts("change_id", "changed_count"));
    }

    [Fact]
    public async Task An_error_of_the_server_is_one_line()
    {
        _server.Answer<ClusterFacesResponse[]>(_ => throw new RpcException(new Status(StatusCode.NotFound, "Collection 'x' does not exist.")));
        _server.Answer<NamePersonResponse>(_ => throw new RpcException(new Status(StatusCode.NotFound, "Point 'a' does not exist.")));
        foreach (var arguments in new[] { new[] { "people" }, ["people", "name", "Ada", "a"] })
        {
            var result = await _server.RunAsync(arguments);
            Assert.Equal((ExitCode.Failed, ""), (result.ExitCode, result.Output));
            Assert.Contains("does not exist", Assert.Single(result.ErrorLines), StringComparison.Ordinal);
        }
    }

    private async Task AssertPrintsAsync(string line, params string[] arguments)
    {
        var result = await _server.RunAsync(["people", .. arguments]);
        Assert.Equal((ExitCode.Done, line), (result.ExitCode, Assert.Single(result.Lines)));
    }

    private void AnswerCluster(string changeId = "") => _server.Answer(_ => new ClusterFacesResponse[]
    {
        new() { Progress = new() { ReadCount = 10, TotalCount = 10 } },
        new() { Person = new() { Index = 0, Person = "Ada", FaceCount = 7, Faces = { Face("a"), Face("b"), Face("c") } } },
        new() { Person = new() { Index = 0, Person = "Ada", FaceCount = 7, Faces = { Face("d"), Face("e"), Face("f"), Face("g", joined: true) } } },
        new() { Person = new() { Index = 1, FaceCount = 2, Faces = { Face("h", joined: true), Face("i", joined: true) } } },
        new() { Summary = new() { PersonCount = 2, GroupedCount = 9, UngroupedCount = 1, Threshold = 0.5f, ChangeId = changeId } },
    });

    private static ClusteredFace Face(string name, bool joined = false) => new() { PointId = $"{name}-0", Similarity = 0.5f, Joined = joined };
}
