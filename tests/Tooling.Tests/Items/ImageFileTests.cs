namespace Embeddings.Tooling.Tests.Items;

public sealed class ImageFileTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(100_000)]
    public async Task The_content_is_read(int length)
    {
        using var folder = new TempFolder();
        var bytes = new byte[length];
        new Random(1).NextBytes(bytes);
        Assert.Equal(bytes, (await ImageFile.ReadAsync(folder.Write("a", bytes), 100_000, default)).Encoded.ToByteArray());
    }

    [Fact]
    public async Task A_file_above_the_limit_is_an_item_fault()
    {
        using var folder = new TempFolder();
        var fault = await Assert.ThrowsAsync<ItemFault>(() => ImageFile.ReadAsync(folder.Write("a", new byte[101]), 100, default));
        Assert.Equal(ItemFault.ImageTooLarge, fault.Error.Reason);
        Assert.Contains("100", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_missing_file_and_a_directory_are_item_faults()
    {
        using var folder = new TempFolder();
        async Task<string> ReasonAsync(string path) =>
            (await Assert.ThrowsAsync<ItemFault>(() => ImageFile.ReadAsync(path, 100, default))).Error.Reason;
        Assert.Equal(ItemFault.FileNotFound, await ReasonAsync(folder.File("none")));
        Assert.Equal(ItemFault.FileNotFound, await ReasonAsync(folder.File("none/none")));
        Assert.Equal(ItemFault.FileUnreadable, await ReasonAsync(folder.Path));
    }

    [Fact]
    public async Task An_endless_device_is_too_large()
    {
        if (File.Exists("/dev/zero"))
        {
            var fault = await Assert.ThrowsAsync<ItemFault>(() => ImageFile.ReadAsync("/dev/zero", 1_000, default));
            Assert.Equal(ItemFault.ImageTooLarge, fault.Error.Reason);
        }
    }
}
