using Embeddings.Tooling.People;
using Embeddings.V1;
using Google.Protobuf.WellKnownTypes;

namespace Embeddings.Tooling.Tests.People;

public sealed class FacePicturesTests
{
    [Fact]
    public async Task Faces_are_cut_from_their_photos_and_each_missing_one_has_its_reason()
    {
        using var folder = new TempFolder();
        folder.Write("sub/a.jpg", TestImages.Jpeg(1));
        folder.Write("broken.jpg", "not an image");
        var points = new[]
        {
            Point("a-0", "sub/a.jpg"),
            Point("a-1", "sub/a.jpg", x: 5000),
            Point("absolute", folder.File("sub/a.jpg")),
            Point("missing", "no.jpg"),
            Point("broken", "broken.jpg"),
            Point("directory", "sub"),
            Point("null", "a\0b"),
            Point("pathless", null),
            Point("boxless", "sub/a.jpg", box: false),
            Point("unwanted", "sub/a.jpg"),
        };
        var pictures = new FacePictures(folder.Path);
        var wanted = points.Select(point => point.PointId).Where(id => id != "unwanted").ToHashSet();
        await pictures.ReadAsync(points.ToAsyncEnumerable(), wanted, default);
        Assert.Equal(["a-0", "absolute"], wanted.Where(id => pictures[id].Jpeg is not null).Order());
        Assert.Equal("the face is outside of photo sub/a.jpg", pictures["a-1"].Missing);
        Assert.Equal("photo no.jpg was not found", pictures["missing"].Missing);
        Assert.StartsWith("photo broken.jpg: ", pictures["broken"].Missing, StringComparison.Ordinal);
        Assert.StartsWith("photo sub: ", pictures["directory"].Missing, StringComparison.Ordinal);
        Assert.Equal("the face has no attribute path", pictures["null"].Missing);
        Assert.Equal("the face has no attribute path", pictures["pathless"].Missing);
        Assert.Equal("the face has no bbox", pictures["boxless"].Missing);
        Assert.Equal("the face is not stored any more", pictures["unwanted"].Missing);
    }

    private static VectorPoint Point(string id, string? path, float x = 20, bool box = true)
    {
        var payload = new Payload { Attributes = new() };
        if (path is not null)
        {
            payload.Attributes.Fields["path"] = Value.ForString(path);
        }
        if (box)
        {
            payload.Bbox = new() { X = x, Y = 20, Width = 60, Height = 60 };
        }
        return new() { PointId = id, Payload = payload };
    }
}
