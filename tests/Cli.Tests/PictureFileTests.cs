namespace Embeddings.Cli.Tests;

public sealed class PictureFileTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(100_000)]
    public async Task The_files_bytes_are_read(int length)
    {
        using var folder = new TempFolder();
        var bytes = new byte[length];
        new Random(1).NextBytes(bytes);
        Assert.Equal(bytes, (await PictureFile.ReadAsync(folder.Write("a", bytes), 100_000, default)).ToByteArray());
    }

    [Fact]
    public async Task A_file_beyond_the_limit_is_the_items_fault()
    {
        using var folder = new TempFolder();
        var fault = await Assert.ThrowsAsync<ItemFault>(() => PictureFile.ReadAsync(folder.Write("a", new byte[101]), 100, default));
        Assert.Equal(ItemFault.ImageTooLarge, fault.Error.Reason);
        Assert.Contains("100", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_missing_file_and_a_folder_are_the_items_fault()
    {
        using var folder = new TempFolder();
        async Task<string> ReasonAsync(string path) =>
            (await Assert.ThrowsAsync<ItemFault>(() => PictureFile.ReadAsync(path, 100, default))).Error.Reason;
        Assert.Equal(ItemFault.FileNotFound, await ReasonAsync(folder.File("none")));
        Assert.Equal(ItemFault.FileNotFound, await ReasonAsync(folder.File("none/none")));
        Assert.Equal(ItemFault.FileUnreadable, await ReasonAsync(folder.Path));
    }

    [Fact]
    public async Task A_device_that_never_ends_is_too_large()
    {
        if (File.Exists("/dev/zero"))
        {
            var fault = await Assert.ThrowsAsync<ItemFault>(() => PictureFile.ReadAsync("/dev/zero", 1_000, default));
            Assert.Equal(ItemFault.ImageTooLarge, fault.Error.Reason);
        }
    }
}
