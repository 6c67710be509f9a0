using Embeddings.Tooling.Ingesting;
using Embeddings.V1;
using Google.Protobuf.WellKnownTypes;

namespace Embeddings.Tooling.Tests.Ingesting;

public sealed class ItemAttributesTests
{
    [Theory]
    [InlineData("ada/1.jpg", "ada")]
    [InlineData("ada/2024/1.jpg", "ada")]
    [InlineData("1.jpg", null)]
    [InlineData("/far/1.jpg", null)]
    public void The_first_folder_is_the_person(string path, string? person)
    {
        var attributes = new ItemAttributes(new(), WithPerson: true, WithPath: false).For(Item(path), null);
        Assert.Equal(person, attributes?.Fields["person"].StringValue);
    }

    [Fact]
    public void A_line_has_precedence_over_the_command_and_the_command_over_person_and_path()
    {
        var added = new ItemAttributes(Fields(("camera", "north"), ("path", "mine")), WithPerson: true, WithPath: true);
        Assert.Equal(
            Fields(("path", "mine"), ("person", "Bob"), ("camera", "south"), ("own", "1")),
            added.For(Item("ada/1.jpg"), Fields(("camera", "south"), ("person", "Bob"), ("own", "1"))));
        Assert.Equal(Fields(("path", "photos/ada/1.jpg")), new ItemAttributes(new(), WithPerson: false, WithPath: true).For(Item("ada/1.jpg"), null));
        Assert.Null(new ItemAttributes(new(), WithPerson: false, WithPath: false).For(Item("ada/1.jpg"), null));
    }

    [Fact]
    public void A_photo_is_sent_with_its_options_and_attributes_and_is_stored_if_its_first_face_is()
    {
        var item = Item("ada/1.jpg");
        var settings = new IngestSettings(ItemKind.Photo, "m", "c", 1)
        {
            Added = new ItemAttributes(Fields(("camera", "north")), WithPerson: true, WithPath: true),
            Faces = new() { MaxFaces = 3 },
        };
        var request = item.Line!.ToRequest(item, new Image(), settings);
        Assert.Equal(("7", "m", "c"), (request.ItemId, request.Model, request.Collection));
        Assert.Equal(("ada/1.jpg", 3), (request.Photo.JobId, request.Photo.Options.MaxFaces));
        Assert.Equal(Fields(("path", "photos/ada/1.jpg"), ("person", "ada"), ("camera", "north")), request.Photo.Attributes);
        Assert.Equal(("ada/1.jpg", "ada/1.jpg-0"), (item.Line.Id(ItemKind.Photo), item.Line.StoredId(ItemKind.Photo)));
        Assert.Equal(("ada/1.jpg", "ada/1.jpg-0"), (item.Line.StoredId(ItemKind.Image), item.Line.StoredId(ItemKind.Face)));
    }

    [Fact]
    public void A_face_can_be_sent_as_an_aligned_crop()
    {
        var item = Item("1.jpg");
        var face = item.Line!.ToRequest(item, new Image(), new(ItemKind.Face, "", "", 1) { Aligned = true }).Face;
        Assert.True(face.Face.Aligned);
        Assert.Null(face.Attributes);
    }

    private static IngestItem Item(string path) =>
        new(7, new() { Path = path, JobId = path }, $"/media/photos/{path}") { Given = $"photos/{path}" };

    private static Struct Fields(params (string Key, string Value)[] fields)
    {
        var made = new Struct();
        foreach (var (key, value) in fields)
        {
            made.Fields[key] = Value.ForString(value);
        }
        return made;
    }
}
