using System.Numerics;
using Embeddings.Testing;
using Embeddings.Tooling.Models.Checking;

namespace Embeddings.Tooling.Tests.Models.Checking;

public sealed class LabelledImagesTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("embeddings-labels-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Subdirectories_are_subjects()
    {
        foreach (var file in (string[])["ann/1.jpg", "ann/2.PNG", "ann/notes.txt", "bob/1.jpeg", "stray.jpg"])
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(_folder, file))!);
            File.WriteAllText(Path.Combine(_folder, file), "");
        }
        Assert.Equal(["ann", "ann", "bob"], LabelledImages.Read(_folder).Select(image => image.Label));
    }

    [Fact]
    public void Files_outside_of_subdirectories_have_their_prefix_as_subject()
    {
        foreach (var file in (string[])["ann__1.jpg", "ann__2.png", "bob__1.jpg", "stray.jpg", "club/carol__1.jpg"])
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(_folder, file))!);
            File.WriteAllText(Path.Combine(_folder, file), "");
        }
        Assert.Equal(["ann", "ann", "bob", "club"], LabelledImages.Read(_folder).Select(image => image.Label));
    }

    [Fact]
    public void Lines_of_an_item_list_are_images()
    {
        var images = LabelledImages.Read(Write("""
            {"path": "a.jpg", "media_store_id": "ann", "face_index": 0, "landmarks": [[1, 2], [3, 4], [5, 6], [7, 8], [9, 10]]}

            {"path": "b.jpg", "media_store_id": "shelf", "label": "ann"}
            {"path": "c.jpg", "media_store_id": "bob", "landmarks": null}
            """));
        Assert.Equal(["ann", "ann", "bob"], images.Select(image => image.Label));
        Assert.Equal(Path.Combine(_folder, "a.jpg"), images[0].Path);
        Assert.Equal(new Vector2(9, 10), images[0].Landmarks!.RightMouthCorner);
        Assert.Null(images[2].Landmarks);
    }

    [Theory]
    [InlineData("nonsense", "line 1")]
    [InlineData("[]", "line 1")]
    [InlineData("""{"path": "a.jpg"}""", "line 1")]
    [InlineData("""{"path": "a.jpg", "label": "a", "landmarks": [[1, 2]]}""", "line 1")]
    [InlineData("""{"path": "a.jpg", "label": "a"}""", "two subjects")]
    [InlineData("", "two subjects")]
    public void Images_that_cannot_be_compared_are_refused(string text, string reason) =>
        Assert.Contains(reason, Assert.Throws<ToolException>(() => LabelledImages.Read(Write(text))).Message, StringComparison.Ordinal);

    private string Write(string text)
    {
        var file = Path.Combine(_folder, "people.jsonl");
        File.WriteAllText(file, text);
        return file;
    }
}
