using System.Security.Cryptography;
using Embeddings.Tooling.Models.Pulling;

namespace Embeddings.Tooling.Tests.Models.Pulling;

public sealed class DownloadTests : IDisposable
{
    private static readonly byte[] Content = Make();
    private static readonly string Sha256 = Convert.ToHexStringLower(SHA256.HashData(Content));

    private readonly TempFolder _folder = new();

    private string Target => _folder.File("model.onnx");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_file_is_downloaded_with_progress()
    {
        using var server = new FileServer((_, _, _, stream, _) => FileServer.SendAsync(stream, $"200 OK\r\nContent-Length: {Content.Length}", Content));
        var seen = new List<(long, long?)>();
        Assert.Equal(Sha256, await RunAsync(server.Url(), Sha256, (bytes, total) => seen.Add((bytes, total))));
        Assert.Equal(Content, File.ReadAllBytes(Target));
        Assert.Equal((Content.Length, Content.Length), seen[^1]);
        Assert.False(File.Exists(Target + ".part"));
    }

    [Fact]
    public async Task An_interrupted_download_resumes()
    {
        var froms = new List<long>();
        using var server = new FileServer((_, _, from, stream, _) =>
        {
            froms.Add(from);
            var rest = Content.AsMemory((int)from);
            var status = from > 0 ? $"206 Partial Content\r\nContent-Range: bytes "
                + $"{from}-{Content.Length - 1}/{Content.Length}" : "200 OK";
            return FileServer.SendAsync(stream, $"{status}\r\nContent-Length: {rest.Length}", rest[..Math.Min(rest.Length, 100_000)]);
        });
        Assert.Equal(Sha256, await RunAsync(server.Url(), Sha256));
        Assert.Equal([0, 100_000, 200_000], froms);
    }

    [Fact]
    public async Task Without_ranges_the_download_starts_over()
    {
        using var server = new FileServer((number, _, _, stream, _) =>
            FileServer.SendAsync(stream, $"200 OK\r\nContent-Length: {Content.Length}", number == 0 ? Content.AsMemory(0, 1000) : Content));
        Assert.Equal(Sha256, await RunAsync(server.Url(), Sha256));
        Assert.Equal(2, server.Requests);
    }

    [Fact]
    public async Task A_wrong_length_is_an_interrupted_download()
    {
        using var server = new FileServer((_, _, _, stream, _) => FileServer.SendAsync(stream, $"200 OK\r\nContent-Length: {Content.Length + 1}", Content));
        Assert.Contains("failed 5 times", await RefusedAsync(server.Url(), Sha256), StringComparison.Ordinal);
        Assert.False(File.Exists(Target));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Wrong_content_is_refused_and_deleted(bool cut)
    {
        // Shorter with a correct length, or as long with one bit flipped.
        var wrong = cut ? Content[..^1] : [.. Content[..^1], (byte)(Content[^1] ^ 1)];
        using var server = new FileServer((_, _, _, stream, _) => FileServer.SendAsync(stream, $"200 OK\r\nContent-Length: {wrong.Length}", wrong));
        Assert.Contains("checksum mismatch", await RefusedAsync(server.Url(), Sha256), StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public async Task Redirects_are_followed_but_not_endlessly()
    {
        using var server = new FileServer((_, path, _, stream, _) => path switch
        {
            "/first" => FileServer.SendAsync(stream, "302 Found\r\nLocation: /second\r\nContent-Length: 0"),
            "/second" => FileServer.SendAsync(stream, $"200 OK\r\nContent-Length: {Content.Length}", Content),
            "/file" => FileServer.SendAsync(stream, "302 Found\r\nLocation: file:///etc/hostname\r\nContent-Length: 0"),
            _ => FileServer.SendAsync(stream, "301 Moved\r\nLocation: /circle\r\nContent-Length: 0"),
        });
        Assert.Equal(Sha256, await RunAsync(server.Url("first"), Sha256));
        var circle = await RefusedAsync(server.Url("circle"), Sha256);
        Assert.Contains("The redirect to /circle is not followed", circle, StringComparison.Ordinal);
        Assert.Contains("the redirect is not followed", await RefusedAsync(server.Url("file"), Sha256), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_stalled_download_times_out()
    {
        using var server = new FileServer(async (_, _, _, stream, stopping) =>
        {
            await FileServer.SendAsync(stream, $"200 OK\r\nContent-Length: {Content.Length}", Content.AsMemory(0, 10));
            await Task.Delay(Timeout.Infinite, stopping);
        });
        Assert.Contains("No data arrived", await RefusedAsync(server.Url(), Sha256, TimeSpan.FromMilliseconds(200)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_missing_file_is_not_retried()
    {
        using var server = new FileServer((_, _, _, stream, _) => FileServer.SendAsync(stream, "404 Not Found\r\nContent-Length: 0"));
        Assert.Contains("404", await RefusedAsync(server.Url(), null), StringComparison.Ordinal);
        Assert.Equal(1, server.Requests);
    }

    private static byte[] Make()
    {
        var content = new byte[250_000];
        new Random(5).NextBytes(content);
        return content;
    }

    private async Task<string> RunAsync(
        Uri url, string? sha256, Action<long, long?>? progress = null, TimeSpan? timeout = null)
    {
        using var http = new HttpClient();
        var download = new Download(http, TimeProvider.System) { Backoff = TimeSpan.FromMilliseconds(1), ReadTimeout = timeout ?? TimeSpan.FromSeconds(60) };
        return await download.RunAsync(url, Target, sha256, progress ?? ((_, _) => { }), default);
    }

    private async Task<string> RefusedAsync(Uri url, string? sha256, TimeSpan? timeout = null) =>
        (await Assert.ThrowsAsync<ToolException>(() => RunAsync(url, sha256, timeout: timeout))).Message;
}
