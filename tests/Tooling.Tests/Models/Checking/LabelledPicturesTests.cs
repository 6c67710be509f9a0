using System.Numerics;
using Embeddings.Testing;
using Embeddings.Tooling.Models.Checking;

namespace Embeddings.Tooling.Tests.Models.Checking;

public sealed class LabelledPicturesTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("embeddings-labels-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_folder_of_people_is_read_by_its_folders()
    {
        foreach (var file in (string[])["ann/1.jpg", "ann/2.PNG", "ann/notes.txt", "bob/1.jpeg", "stray.jpg"])
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(_folder, file))!);
            File.WriteAllText(Path.Combine(_folder, file), "");
        }
        Assert.Equal(["ann", "ann", "bob"], LabelledPictures.Read(_folder).Select(picture => picture.Label));
    }

    [Fact]
    public void Files_outside_of_folders_are_read_by_what_comes_before_two_underscores()
    {
        foreach (var file in (string[])["ann__1.jpg", "ann__2.png", "bob__1.jpg", "stray.jpg", "club/carol__1.jpg"])
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(_folder, file))!);
            File.WriteAllText(Path.Combine(_folder, file), "");
        }
        Assert.Equal(["ann", "ann", "bob", "club"], LabelledPictures.Read(_folder).Select(picture => picture.Label));
    }

    [Fact]
    public void A_manifest_is_read_by_its_lines()
    {
        var pictures = LabelledPictures.Read(Write("""
            {"path": "a.jpg", "media_store_id": "ann", "face_index": 0, "landmarks": [[1, 2], [3, 4], [5, 6], [7, 8], [9, 10]]}

            {"path": "b.jpg", "media_store_id": "shelf", "label": "ann"}
            {"path": "c.jpg", "media_store_id": "bob", "landmarks": null}
            """));
        Assert.Equal(["ann", "ann", "bob"], pictures.Select(picture => picture.Label));
        Assert.Equal(Path.Combine(_folder, "a.jpg"), pictures[0].Path);
        Assert.Equal(new Vector2(9, 10), pictures[0].Landmarks!.RightMouthCorner);
        Assert.Null(pictures[2].Landmarks);
    }

    [Theory]
    [InlineData("nonsense", "line 1")]
    [InlineData("[]", "line 1")]
    [InlineData("""{"path": "a.jpg"}""", "line 1")]
    [InlineData("""{"path": "a.jpg", "label": "a", "landmarks": [[1, 2]]}""", "line 1")]
    [InlineData("""{"path": "a.jpg", "label": "a"}""", "two subjects")]
    [InlineData("", "two subjects")]
    public void What_cannot_be_compared_is_refused(string text, string reason) =>
        Assert.Contains(reason, Assert.Throws<InvalidDataException>(() => LabelledPictures.Read(Write(text))).Message, StringComparison.Ordinal);

    private string Write(string text)
    {
        var file = Path.Combine(_folder, "people.jsonl");
        File.WriteAllText(file, text);
        return file;
    }
}
