using System.Text.RegularExpressions;
using System.Xml.Linq;
using Embeddings.Tooling.People;
using Embeddings.V1;

namespace Embeddings.Tooling.Tests.People;

public sealed class PeopleReportTests
{
    private const string Hostile = "<script>alert('1')</script>&\"\u0001";

    [Fact]
    public void The_page_shows_every_person_with_thumbnails_and_reasons()
    {
        var found = Found(Person(0, "Ada", "a-0", "b-0"), Person(1, "", "c-0"));
        var page = Write(found, id => id == "b-0" ? new(null, "photo b.jpg was not found") : new([1, 2, 3], ""));
        Assert.Contains("<h1>People in faces</h1>", page, StringComparison.Ordinal);
        Assert.Contains("2 persons, 3 faces,\n1 face in no person; threshold 0.420.", page.ReplaceLineEndings("\n"), StringComparison.Ordinal);
        Assert.Contains("Ada <span class=\"count\">2 faces</span>", page, StringComparison.Ordinal);
        Assert.Contains("unnamed 2</span>", page, StringComparison.Ordinal);
        Assert.Equal(2, Regex.Count(page, "src=\"data:image/jpeg;base64,AQID\""));
        Assert.Contains("<div class=\"none\">photo b.jpg was not found</div>", page, StringComparison.Ordinal);
    }

    [Fact]
    public void Stored_names_cannot_become_markup_and_nothing_is_loaded()
    {
        var page = Write(Found(Person(0, Hostile, Hostile, "b")), id => id == "b" ? new(null, Hostile) : new([1], ""), Hostile);
        Assert.DoesNotContain("<script", page, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain('\u0001', page);
        Assert.DoesNotMatch("(?i)https?:|url\\(|@import", page);
        Assert.Contains("default-src 'none'", page, StringComparison.Ordinal);
        // All texts arrive as they are; only the control character is a space.
        var body = XElement.Parse(page[page.IndexOf("<body>", StringComparison.Ordinal)..page.IndexOf("</html>", StringComparison.Ordinal)]);
        var heading = body.Descendants("h2").Single();
        Assert.StartsWith(Hostile.Replace('\u0001', ' '), heading.Value, StringComparison.Ordinal);
        Assert.Equal([Hostile.Replace('\u0001', ' '), "b"], body.Descendants("figure").Select(figure => figure.Attribute("title")!.Value));
    }

    [Fact]
    public void The_number_of_faces_on_the_page_is_limited_and_the_rest_is_stated()
    {
        var big = Person(0, "Ada", [.. Enumerable.Range(0, PeopleReport.MaxFacesOfPerson + 5).Select(i => $"a-{i}")]);
        var page = Write(Found(big), _ => new([1], ""));
        Assert.Equal(PeopleReport.MaxFacesOfPerson, Regex.Count(page, "<figure"));
        Assert.Contains("and 5 more faces that this page does not show", page, StringComparison.Ordinal);

        var many = Enumerable.Range(0, PeopleReport.MaxFaces + 3).Select(i => Person(i, $"p{i}", $"{i}-0")).ToArray();
        Assert.Equal(PeopleReport.MaxFaces, PeopleReport.Shown(Found(many)).Count);
        page = Write(Found(many), _ => new([1], ""));
        Assert.Equal(PeopleReport.MaxFaces, Regex.Count(page, "<figure"));
        Assert.Equal(many.Length, Regex.Count(page, "<section>"));
        Assert.Equal(3, Regex.Count(page, "and 1 more face that this page does not show"));
    }

    [Fact]
    public async Task A_person_of_several_messages_is_one_person()
    {
        var progress = new List<long>();
        var found = await FoundPersons.ReadAsync(
            new ClusterFacesResponse[]
            {
                new() { Progress = new() { ReadCount = 1, TotalCount = 4 } },
                new() { Person = Group(0, "Ada", "a-0", "b-0") },
                new() { Person = Group(0, "Ada", "c-0") },
                new() { Person = Group(1, "", "d-0") },
                new() { Summary = new() { PersonCount = 2, GroupedCount = 4 } },
            }.ToAsyncEnumerable(),
            at => progress.Add(at.ReadCount));
        Assert.Equal(["a-0 b-0 c-0", "d-0"], found.Persons.Select(person => string.Join(' ', person.Faces.Select(face => face.PointId))));
        Assert.Equal(("Ada", 3, "a-0"), (found.Persons[0].Name, found.Persons[0].NewCount, found.Persons[0].Cover));
        Assert.Equal([1L], progress);
    }

    [Fact]
    public async Task Messages_that_end_without_a_summary_are_an_error() => await Assert.ThrowsAsync<ToolException>(() =>
        FoundPersons.ReadAsync(new ClusterFacesResponse[] { new() { Person = Group(0, "", "a") } }.ToAsyncEnumerable(), _ => { }));

    private static string Write(FoundPersons found, Func<string, FacePicture> picture, string collection = "faces")
    {
        using var writer = new StringWriter();
        PeopleReport.Write(writer, collection, found, picture);
        return writer.ToString();
    }

    private static FoundPersons Found(params FoundPerson[] persons) => new(
        persons,
        new() { PersonCount = persons.Length, GroupedCount = persons.Sum(person => person.Faces.Count), UngroupedCount = 1, Threshold = 0.42f });

    private static FoundPerson Person(int index, string name, params string[] ids) => new(index, name, ids[0], Group(index, name, ids).Faces);

    private static PersonGroup Group(int index, string name, params string[] ids) => new()
    {
        Index = index,
        Person = name,
        Faces = { ids.Select(id => new ClusteredFace { PointId = id, Similarity = 0.5f, Joined = true }) },
        Cover = new() { PointId = ids[0] },
    };
}
