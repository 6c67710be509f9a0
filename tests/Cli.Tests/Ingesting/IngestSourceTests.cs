using Embeddings.Cli.Ingesting;

namespace Embeddings.Cli.Tests.Ingesting;

public sealed class IngestSourceTests
{
    [Fact]
    public async Task A_folders_files_have_their_names_as_job_ids_and_none_covers_another()
    {
        using var folder = new TempFolder();
        folder.Write("b.jpg", "1");
        folder.Write("b.png", "2");
        folder.Write("sub/a.jpg", "3");
        folder.Write(".hidden", "4");
        var (source, items) = await ReadAsync(folder.Path);
        Assert.Equal(4, source.Total);
        Assert.Equal([".hidden", "b.jpg", "b.png", "sub/a.jpg"], items.Select(item => item.Line!.JobId));
        Assert.Equal(folder.File("b.jpg"), items[1].File);
    }

    [Fact]
    public async Task Folders_within_are_left_out_where_asked_for()
    {
        using var folder = new TempFolder();
        folder.Write("a.jpg", "1");
        folder.Write("sub/a.jpg", "3");
        var (source, items) = await ReadAsync(folder.Path, recursive: false);
        Assert.Equal((1, "a.jpg"), (source.Total, Assert.Single(items).Line!.JobId));
    }

    [Fact]
    public async Task The_file_of_failed_items_is_no_picture()
    {
        using var folder = new TempFolder();
        folder.Write("a.jpg", "1");
        var failed = folder.Write("x.failed.jsonl", "2");
        var (source, items) = await ReadAsync(folder.Path, except: failed);
        Assert.Equal((1, "a.jpg"), (source.Total, Assert.Single(items).Line!.JobId));
    }

    [Fact]
    public async Task A_link_back_up_does_not_go_round()
    {
        using var folder = new TempFolder();
        folder.Write("sub/a.jpg", "1");
        Directory.CreateSymbolicLink(folder.File("sub/up"), folder.Path);
        var (source, _) = await ReadAsync(folder.Path);
        Assert.Equal(1, source.Total);
    }

    [Fact]
    public async Task A_manifests_lines_are_items_and_bad_ones_say_where()
    {
        using var folder = new TempFolder();
        var manifest = folder.Write("items.jsonl", """
            {"path": "a.jpg", "job_id": "a"}

            not json
            {"path": "/elsewhere/b.jpg", "job_id": "b"}
            """);
        var (source, items) = await ReadAsync(manifest);
        Assert.Equal(("items", 3), (source.Name, source.Total));
        Assert.Equal([1L, 3, 4], items.Select(item => item.Number));
        Assert.Equal(folder.File("a.jpg"), items[0].File);
        Assert.Equal(("not json", ItemFault.ManifestLineInvalid), (items[1].Text, items[1].Error!.Reason));
        Assert.Null(items[1].Line);
        Assert.Equal("/elsewhere/b.jpg", items[2].File);
    }

    [Theory]
    [InlineData("absent", "there is no file or folder")]
    [InlineData("picture.jpg", "neither a folder nor a manifest")]
    public async Task What_is_neither_is_said(string name, string message)
    {
        using var folder = new TempFolder();
        folder.Write("picture.jpg", "1");
        var error = await Assert.ThrowsAsync<CliException>(() => ReadAsync(folder.File(name)));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    private static async Task<(IngestSource Source, List<IngestItem> Items)> ReadAsync(string path, bool recursive = true, string? except = null)
    {
        var source = await IngestSource.OpenAsync(path, recursive, except, default);
        return (source, await source.Items.ToListAsync());
    }
}
