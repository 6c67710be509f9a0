using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;

namespace Embeddings.Cli.Pulling;

/// <summary>
/// Fetches one file and proves that it is the one wanted: what has come is kept beside the target, so that a connection that breaks off is taken up where it
/// ended, now or with the next call; only a file of the right content gets the target's name.
/// </summary>
/// <param name="http">Without automatic redirects: they are followed here, a few and never from https to http.</param>
/// <param name="time">For waiting between tries.</param>
internal sealed class Download(HttpClient http, TimeProvider time)
{
    private const int MostRedirects = 8;
    private const int MostTries = 5;
    private const int BufferSize = 1 << 16;

    /// <summary>Most that a file may have where its size is not known, bytes.</summary>
    public const long LargestFile = 16L << 30;

    /// <summary>How long the other side may say nothing.</summary>
    public TimeSpan Silence { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Between a try that broke off and the next, times the number of tries.</summary>
    public TimeSpan Pause { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Fetches the file and gives its SHA-256, 64 hex digits.</summary>
    /// <param name="url">http or https.</param>
    /// <param name="target">Where it goes; replaced if it is there.</param>
    /// <param name="sha256">What its content must be; null to take any.</param>
    /// <param name="progress">Told the bytes that are there and, where known, the bytes in all.</param>
    /// <param name="cancellationToken">Stops it; what has come stays for the next call.</param>
    /// <exception cref="CliException">It cannot be fetched, or is another file; the message says why.</exception>
    public async Task<string> RunAsync(Uri url, string target, string? sha256, Action<long, long?> progress, CancellationToken cancellationToken)
    {
        var part = target + ".part";
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await FetchAsync(url, part, progress, cancellationToken);
                break;
            }
            catch (Exception e) when (e is HttpRequestException or IOException or TimeoutException && attempt < MostTries)
            {
                await Task.Delay(Pause * attempt, time, cancellationToken);
            }
            catch (Exception e) when (e is HttpRequestException or IOException or TimeoutException)
            {
                throw new CliException($"{url}: broke off {MostTries} times, last: {e.Message}; what has come is kept, the same command goes on from there");
            }
        }
        var actual = await HashAsync(part, cancellationToken);
        if (sha256 is not null && !actual.Equals(sha256, StringComparison.OrdinalIgnoreCase))
        {
            // To go on from a wrong beginning would be wrong for ever.
            File.Delete(part);
            throw new CliException($"{url}: is another file: SHA-256 {actual}, wanted {sha256.ToLowerInvariant()}");
        }
        File.Move(part, target, overwrite: true);
        return actual;
    }

    private async Task FetchAsync(Uri url, string part, Action<long, long?> progress, CancellationToken cancellationToken)
    {
        await using var file = new FileStream(part, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 0);
        using var response = await FollowAsync(url, file.Length, cancellationToken);
        if (response.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable && file.Length > 0)
        {
            // All of it is there already, or it was of another file: its checksum tells. Where nobody knows one, begin anew.
            if (response.Content.Headers.ContentRange?.Length == file.Length)
            {
                return;
            }
            file.SetLength(0);
            throw new IOException("what was kept is not part of the file");
        }
        if (!response.IsSuccessStatusCode)
        {
            var status = (int)response.StatusCode;
            var message = $"the server answers {status} {response.ReasonPhrase}";
            throw status is >= 500 or 408 or 429 ? new HttpRequestException(message) : new CliException($"{url}: {message}");
        }
        var resumes = response.StatusCode == HttpStatusCode.PartialContent && response.Content.Headers.ContentRange?.From == file.Length;
        if (!resumes)
        {
            file.SetLength(0);
        }
        file.Position = file.Length;
        var total = response.Content.Headers.ContentLength is { } rest ? rest + file.Length : (long?)null;
        await CopyAsync(response, file, total, progress, cancellationToken);
        if (total is { } promised && file.Length != promised)
        {
            throw new IOException($"{file.Length:N0} of {promised:N0} bytes came");
        }
    }

    private async Task CopyAsync(HttpResponseMessage response, FileStream file, long? total, Action<long, long?> progress, CancellationToken cancellationToken)
    {
        using var quiet = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var buffer = new byte[BufferSize];
        try
        {
            await using var body = await response.Content.ReadAsStreamAsync(cancellationToken);
            while (true)
            {
                quiet.CancelAfter(Silence);
                var count = await body.ReadAsync(buffer, quiet.Token);
                if (count == 0)
                {
                    return;
                }
                if (file.Length + count > (total ?? LargestFile))
                {
                    throw new CliException($"{response.RequestMessage?.RequestUri}: sends more than {total ?? LargestFile:N0} bytes");
                }
                await file.WriteAsync(buffer.AsMemory(0, count), cancellationToken);
                progress(file.Length, total);
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"nothing came for {Silence.TotalSeconds:0.#} s");
        }
    }

    private async Task<HttpResponseMessage> FollowAsync(Uri url, long from, CancellationToken cancellationToken)
    {
        var at = url;
        for (var hop = 0; hop <= MostRedirects; hop++)
        {
            if (at.Scheme is not ("http" or "https"))
            {
                throw new CliException($"{url}: leads to {at.Scheme}, only http and https are followed");
            }
            using var request = new HttpRequestMessage(HttpMethod.Get, at);
            request.Headers.Range = from > 0 ? new RangeHeaderValue(from, null) : null;
            using var quiet = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            quiet.CancelAfter(Silence);
            HttpResponseMessage response;
            try
            {
                response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, quiet.Token);
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                throw new TimeoutException($"no answer for {Silence.TotalSeconds:0.#} s");
            }
            if ((int)response.StatusCode is not (301 or 302 or 303 or 307 or 308) || response.Headers.Location is not { } location)
            {
                return response;
            }
            response.Dispose();
            var next = new Uri(at, location);
            at = at.Scheme == "https" && next.Scheme == "http" ? throw new CliException($"{url}: leads from https to http") : next;
        }
        throw new CliException($"{url}: redirects more than {MostRedirects} times");
    }

    private static async Task<string> HashAsync(string path, CancellationToken cancellationToken)
    {
        await using var stream = File.OpenRead(path);
        return Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, cancellationToken));
    }
}
