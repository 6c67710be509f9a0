using System.Text.Json.Nodes;
using Embeddings.Server.Grpc.Persons;

namespace Embeddings.Server.Tests.Grpc.Persons;

public sealed class PersonAttributesTests
{
    [Fact]
    public void Changes_are_undone_in_reverse_order_and_nothing_else_changes()
    {
        var original = Json("""{"a":[1,{"b":null}],"face_quality":0.5}""");
        var first = PersonAttributes.Named(original, "Anna", "c1")!;
        var second = PersonAttributes.Named(first, null, "c2")!;

        AssertJson("""{"a":[1,{"b":null}],"face_quality":0.5,"person":"Anna","person_change":"c1","person_history":"[{\"change\":\"c1\",\"person\":null}]"}""", first);
        Assert.Equal((null, "c2"), (PersonAttributes.PersonOf(second), PersonAttributes.ChangeOf(second)));
        Assert.True(PersonAttributes.Keeps(second, "c1"));
        Assert.Null(PersonAttributes.Undone(second, "c1"));
        var undone = PersonAttributes.Undone(second, "c2")!;
        AssertJson(first.ToJsonString(), undone);
        AssertJson("""{"a":[1,{"b":null}],"face_quality":0.5}""", PersonAttributes.Undone(undone, "c1")!);
        AssertJson("""{"a":[1,{"b":null}],"face_quality":0.5}""", original);
        Assert.Null(PersonAttributes.Named(first, "Anna", "c3"));
        Assert.Null(PersonAttributes.Named(null, null, "c3"));
    }

    [Fact]
    public void Ten_changes_are_kept()
    {
        JsonObject? attributes = null;
        for (var i = 0; i < 15; i++)
        {
            attributes = PersonAttributes.Named(attributes, $"P{i}", $"c{i}");
        }
        Assert.Equal(Enumerable.Range(5, 10), Enumerable.Range(0, 15).Where(i => PersonAttributes.Keeps(attributes, $"c{i}")));
        for (var i = 14; i >= 5; i--)
        {
            attributes = PersonAttributes.Undone(attributes, $"c{i}");
        }
        AssertJson("""{"person":"P4"}""", attributes!);
    }

    [Theory]
    [InlineData("""{"person":5}""", null, 1)]
    [InlineData("""{"person":["Anna"],"face_quality":"0.5"}""", null, 1)]
    [InlineData("""{"person":"","face_quality":null}""", null, 1)]
    [InlineData("""{"person":null,"face_quality":-3}""", null, 0)]
    [InlineData("""{"person":"A","face_quality":7}""", "A", 1)]
    [InlineData("""{"person":"A","person_change":7,"person_history":{"x":1},"face_quality":0}""", "A", 0)]
    public void Other_values_are_no_names(string attributes, string? person, float quality)
    {
        Assert.Equal(person, PersonAttributes.PersonOf(Json(attributes)));
        Assert.Equal(quality, PersonAttributes.QualityOf(Json(attributes)));
        var named = PersonAttributes.Named(Json(attributes), "B", "c");
        Assert.Equal(("B", "c"), (PersonAttributes.PersonOf(named), PersonAttributes.ChangeOf(named)));
        Assert.Equal(person, PersonAttributes.PersonOf(PersonAttributes.Undone(named, "c")));
    }

    [Fact]
    public void A_face_that_is_written_again_keeps_its_person_unless_it_brings_one()
    {
        var earlier = PersonAttributes.Named(Json("""{"old":1}"""), "Anna", "c1")!;
        var unnamed = PersonAttributes.Named(earlier, null, "c2")!;

        var carried = PersonAttributes.Carried(earlier, Json("""{"new":2,"person_change":"forged"}"""))!;
        AssertJson("""{"new":2,"person":"Anna","person_change":"c1","person_history":"[{\"change\":\"c1\",\"person\":null}]"}""", carried);
        // Faces that were made unnamed can be named again by an undo.
        Assert.Equal("Anna", PersonAttributes.PersonOf(PersonAttributes.Undone(PersonAttributes.Carried(unnamed, null), "c2")));
        AssertJson("""{"person":"Berta"}""", PersonAttributes.Carried(earlier, Json("""{"person":"Berta"}"""))!);
        Assert.Null(PersonAttributes.Carried(Json("""{"old":1}"""), null));
        Assert.Null(PersonAttributes.Carried(null, null));
    }

    private static JsonObject Json(string text) => JsonNode.Parse(text)!.AsObject();

    private static void AssertJson(string expected, JsonObject found) =>
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(expected), found), $"{expected} expected, {found.ToJsonString()} found");
}
