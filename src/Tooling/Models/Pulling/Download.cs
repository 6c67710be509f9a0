using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;

namespace Embeddings.Tooling.Models.Pulling;

/// <summary>
/// Downloads a file and checks its content. Received bytes are kept in a <c>.part</c> file, so that an interrupted
/// download resumes, now or with the next call. Only a file with the expected content gets the name of the target.
/// </summary>
/// <param name="http">Client that follows redirects. It does not follow those from https to http.</param>
/// <param name="time">Clock of the backoff.</param>
internal sealed class Download(HttpClient http, TimeProvider time)
{
    private const int MaxAttempts = 5;
    private const int BufferSize = 1 << 16;

    /// <summary>Largest file of unknown size, in bytes.</summary>
    public const long MaxBytes = 16L << 30;

    /// <summary>Longest time without data. Default: 30 s.</summary>
    public TimeSpan ReadTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Delay after a failed attempt, multiplied by the number of attempts. Default: 1 s.</summary>
    public TimeSpan Backoff { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Downloads the file and returns its SHA-256, 64 hexadecimal digits.</summary>
    /// <param name="url">An http or https URL.</param>
    /// <param name="target">Path of the file. An existing file is replaced.</param>
    /// <param name="sha256">Expected SHA-256, or null to accept any content.</param>
    /// <param name="progress">Receives the number of bytes so far and, if known, the total.</param>
    /// <param name="cancellationToken">Cancels the download. Received bytes are kept for the next call.</param>
    /// <exception cref="ToolException">The file cannot be downloaded, or its content is not the expected one.</exception>
    public async Task<string> RunAsync(
        Uri url, string target, string? sha256, Action<long, long?> progress, CancellationToken cancellationToken)
    {
        var part = target + ".part";
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await FetchAsync(url, part, progress, cancellationToken);
                break;
            }
            catch (Exception e) when (e is HttpRequestException or IOException or TimeoutException && attempt < MaxAttempts)
            {
                await Task.Delay(Backoff * attempt, time, cancellationToken);
            }
            catch (Exception e) when (e is HttpRequestException or IOException or TimeoutException)
            {
                throw new ToolException(
                    $"{url}: the download failed {MaxAttempts} times; the last error is: {e.Message} Run the same command "
                    + "to resume.");
            }
        }
        var actual = await HashAsync(part, cancellationToken);
        if (sha256 is not null && !actual.Equals(sha256, StringComparison.OrdinalIgnoreCase))
        {
            // A resumed download must not start from wrong content.
            File.Delete(part);
            throw new ToolException(
                $"{url}: checksum mismatch: SHA-256 must be {sha256.ToLowerInvariant()}; got {actual}.");
        }
        File.Move(part, target, overwrite: true);
        return actual;
    }

    private async Task FetchAsync(Uri url, string part, Action<long, long?> progress, CancellationToken cancellationToken)
    {
        await using var file = new FileStream(part, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 0);
        using var response = await SendAsync(url, file.Length, cancellationToken);
        if (response.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable && file.Length > 0)
        {
            // Either the file is complete, which its checksum shows, or the part is of another file: then start over.
            if (response.Content.Headers.ContentRange?.Length == file.Length)
            {
                return;
            }
            file.SetLength(0);
            throw new IOException("The part kept from before is not part of the file.");
        }
        if (!response.IsSuccessStatusCode)
        {
            var status = (int)response.StatusCode;
            var message = response.Headers.Location is { } location
                ? $"The redirect to {location} is not followed: there are too many, or it leads from https to http."
                : $"The server returned {status} {response.ReasonPhrase}.";
            throw status is >= 500 or 408 or 429
                ? new HttpRequestException(message)
                : new ToolException($"{url}: {message}");
        }
        var from = response.StatusCode == HttpStatusCode.PartialContent ? response.Content.Headers.ContentRange?.From : 0;
        if (from != file.Length)
        {
            file.SetLength(0);
        }
        file.Position = file.Length;
        var total = response.Content.Headers.ContentLength is { } rest ? rest + file.Length : (long?)null;
        await CopyAsync(response, file, total, progress, cancellationToken);
        if (total is { } promised && file.Length != promised)
        {
            throw new IOException($"The connection ended after {file.Length:N0} of {promised:N0} bytes.");
        }
    }

    private async Task CopyAsync(
        HttpResponseMessage response,
        FileStream file,
        long? total,
        Action<long, long?> progress,
        CancellationToken cancellationToken)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var buffer = new byte[BufferSize];
        try
        {
            await using var body = await response.Content.ReadAsStreamAsync(cancellationToken);
            while (true)
            {
                timeout.CancelAfter(ReadTimeout);
                var count = await body.ReadAsync(buffer, timeout.Token);
                if (count == 0)
                {
                    return;
                }
                if (file.Length + count > (total ?? MaxBytes))
                {
                    var from = response.RequestMessage?.RequestUri;
                    throw new ToolException($"{from}: the file must have at most {total ?? MaxBytes:N0} bytes; got more.");
                }
                await file.WriteAsync(buffer.AsMemory(0, count), cancellationToken);
                progress(file.Length, total);
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"No data arrived for {ReadTimeout.TotalSeconds:0.#} s.");
        }
    }

    private async Task<HttpResponseMessage> SendAsync(Uri url, long from, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, url);
        request.Headers.Range = from > 0 ? new RangeHeaderValue(from, null) : null;
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(ReadTimeout);
        try
        {
            return await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, timeout.Token);
        }
        catch (UriFormatException e)
        {
            throw new ToolException($"{url}: the redirect is not followed: {e.Message}", e);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"The server did not respond for {ReadTimeout.TotalSeconds:0.#} s.");
        }
    }

    private static async Task<string> HashAsync(string path, CancellationToken cancellationToken)
    {
        await using var stream = File.OpenRead(path);
        return Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, cancellationToken));
    }
}
