using System.Text;
using System.Text.Json;
using Embeddings.Tooling.Ingesting;
using Embeddings.V1;

namespace Embeddings.Tooling.Tests.Ingesting;

public sealed class FailedItemsTests
{
    [Fact]
    public async Task Failed_items_are_an_item_list_again()
    {
        using var folder = new TempFolder();
        var text = """
            {"path": "p/ä.jpg", "job_id": "a", "media_store_id": "m", "face_index": 1, "bbox": {"x": 1, "y": 2, "width": 3, "height": 4},
             "confidence": 0.5, "landmarks": [[1,2],[3,4],[5,6],[7,8],[9,10]], "attributes": {"k": "v"}}
            """;
        var line = ItemListLine.Parse(new RawLine(7, Encoding.UTF8.GetBytes(text), false));
        var error = new ItemError { Code = 3, Reason = "IMAGE_MALFORMED", Message = "no", Field = "face.image" };
        using (var failed = new FailedItems(folder.File("failed.jsonl")))
        {
            failed.Add(new IngestItem(7, line, "/far/p/ä.jpg"), error);
            failed.Add(new IngestItem(8, null, "", ItemFault.Line("not JSON").Error, "nonsense"), ItemFault.Line("not JSON").Error);
        }
        var written = File.ReadAllLines(folder.File("failed.jsonl"));
        Assert.Equal(2, written.Length);
        var first = JsonDocument.Parse(written[0]).RootElement;
        Assert.Equal(7, first.GetProperty("line").GetInt32());
        Assert.Equal("INVALID_ARGUMENT", first.GetProperty("error").GetProperty("status").GetString());
        Assert.Equal("IMAGE_MALFORMED", first.GetProperty("error").GetProperty("reason").GetString());
        Assert.Equal("nonsense", JsonDocument.Parse(written[1]).RootElement.GetProperty("text").GetString());

        var again = await (await IngestSource.OpenAsync(folder.File("failed.jsonl"), true, null, default)).Items.ToListAsync();
        Assert.Equal(Content(line with { Path = "/far/p/ä.jpg" }), Content(again[0].Line! with { Line = null, Error = null }));
        Assert.NotNull(again[1].Error);
    }

    [Fact]
    public void No_file_is_written_if_nothing_fails()
    {
        using var folder = new TempFolder();
        new FailedItems(folder.File("failed.jsonl")).Dispose();
        Assert.False(File.Exists(folder.File("failed.jsonl")));
    }

    private static string Content(ItemListLine line) => JsonSerializer.Serialize(line, ItemListJson.Default.ItemListLine);
}
