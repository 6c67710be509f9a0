using Embeddings.Tooling.Ingesting;

namespace Embeddings.Tooling.Tests.Ingesting;

public sealed class IngestSourceTests
{
    [Fact]
    public async Task The_files_of_a_directory_have_their_relative_paths_as_job_ids()
    {
        using var folder = new TempFolder();
        folder.Write("b.jpg", "1");
        folder.Write("b.png", "2");
        folder.Write("sub/a.jpg", "3");
        var (source, items) = await ReadAsync(folder.Path);
        Assert.Equal((3, default), (source.Total, source.Ignored));
        Assert.Equal(["b.jpg", "b.png", "sub/a.jpg"], items.Select(item => item.Line!.JobId));
        Assert.Equal(folder.File("b.jpg"), items[0].File);
    }

    [Fact]
    public async Task Items_have_the_path_that_the_user_gave()
    {
        using var folder = new TempFolder();
        folder.Write("sub/a.jpg", "3");
        var list = folder.Write("list.jsonl", """{"path": "sub/a.jpg", "job_id": "a"}""");
        var relative = Path.GetRelativePath(Directory.GetCurrentDirectory(), folder.Path);
        Assert.Equal(Path.Combine(relative, "sub", "a.jpg"), (await ReadAsync(relative)).Items[0].Given);
        Assert.Equal(folder.File("sub/a.jpg"), (await ReadAsync(list)).Items[0].Given);
    }

    [Fact]
    public async Task Files_with_neither_extension_nor_content_of_an_image_are_counted_hidden_ones_first()
    {
        using var folder = new TempFolder();
        folder.Write("a.JPG", "damaged");
        folder.Write("sub/gif", "GIF89a and more");
        folder.Write("sub/wrong.txt", [0xFF, 0xD8, 0xFF, 0xE0]);
        folder.Write("phone.heic", "1");
        folder.Write("notes.txt", "1");
        folder.Write("short", "");
        folder.Write(".hidden.jpg", "1");
        folder.Write(".hidden.txt", "1");
        folder.Write("sub/.git/a.jpg", "1");
        var (source, items) = await ReadAsync(folder.Path);
        Assert.Equal(["a.JPG", "phone.heic", "sub/gif", "sub/wrong.txt"], items.Select(item => item.Line!.JobId));
        Assert.Equal(new IgnoredFiles(Hidden: 3, NotImages: 2), source.Ignored);
    }

    [Theory]
    [InlineData(0, 0, "")]
    [InlineData(1, 0, "1 hidden file or directory")]
    [InlineData(0, 2000, "2,000 files that are not images")]
    [InlineData(2, 1, "2 hidden files or directories and 1 file that is not an image")]
    public void The_counts_of_ignored_files_are_text(int hidden, int notImages, string text) =>
        Assert.Equal(text, new IgnoredFiles(hidden, notImages).ToString());

    [Fact]
    public async Task Subdirectories_can_be_excluded()
    {
        using var folder = new TempFolder();
        folder.Write("a.jpg", "1");
        folder.Write("sub/a.jpg", "3");
        var (source, items) = await ReadAsync(folder.Path, recursive: false);
        Assert.Equal((1, "a.jpg"), (source.Total, Assert.Single(items).Line!.JobId));
    }

    [Fact]
    public async Task The_list_of_failed_items_is_not_an_item()
    {
        using var folder = new TempFolder();
        folder.Write("a.jpg", "1");
        var failed = folder.Write("x.failed.jsonl", "2");
        var (source, items) = await ReadAsync(folder.Path, except: failed);
        Assert.Equal((1, "a.jpg"), (source.Total, Assert.Single(items).Line!.JobId));
    }

    [Fact]
    public async Task A_link_to_a_parent_directory_is_not_followed()
    {
        using var folder = new TempFolder();
        folder.Write("sub/a.jpg", "1");
        Directory.CreateSymbolicLink(folder.File("sub/up"), folder.Path);
        var (source, _) = await ReadAsync(folder.Path);
        Assert.Equal(1, source.Total);
    }

    [Fact]
    public async Task Lines_of_an_item_list_are_items_and_invalid_ones_have_an_error()
    {
        using var folder = new TempFolder();
        var list = folder.Write("items.jsonl", """
            {"path": "a.jpg", "job_id": "a"}

            not json
            {"path": "/elsewhere/b.jpg", "job_id": "b"}
            """);
        var (source, items) = await ReadAsync(list);
        Assert.Equal(("items", 3), (source.Name, source.Total));
        Assert.Equal([1L, 3, 4], items.Select(item => item.Number));
        Assert.Equal(folder.File("a.jpg"), items[0].File);
        Assert.Equal(("not json", ItemFault.LineInvalid), (items[1].Text, items[1].Error!.Reason));
        Assert.StartsWith("Line 3, position 2: ", items[1].Error!.Message, StringComparison.Ordinal);
        Assert.Null(items[1].Line);
        Assert.Equal("/elsewhere/b.jpg", items[2].File);
    }

    [Theory]
    [InlineData("absent", "does not exist")]
    [InlineData("image.jpg", "is neither a directory nor an item list")]
    [InlineData("empty", "contains no images; skipped 1 file that is not an image.")]
    [InlineData("empty.jsonl", "contains no items")]
    public async Task Another_path_is_an_error(string name, string message)
    {
        using var folder = new TempFolder();
        folder.Write("image.jpg", "1");
        folder.Write("empty/text", "1");
        folder.Write("empty.jsonl", "\n");
        var error = await Assert.ThrowsAsync<ToolException>(() => ReadAsync(folder.File(name)));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    private static async Task<(IngestSource Source, List<IngestItem> Items)> ReadAsync(
        string path, bool recursive = true, string? except = null)
    {
        var source = await IngestSource.OpenAsync(path, recursive, except, default);
        return (source, await source.Items.ToListAsync());
    }
}
