using System.Runtime.CompilerServices;
using System.Text.Json;
using Embeddings.Client;
using Embeddings.V1;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Embeddings.Samples.IngestionWorker;

/// <summary>Options of the worker, from the section <c>Ingestion</c>.</summary>
internal sealed class IngestionOptions
{
    /// <summary>Path of the item list, a file of JSON lines.</summary>
    public string Items { get; set; } = "";

    /// <summary>Name of the collection. If empty, the server's collection for images or faces is used.</summary>
    public string Collection { get; set; } = "";
}

/// <summary>
/// Streams the items of a list into the service and stops the host. The ids of acknowledged items are appended to a
/// journal next to the list, so that another run sends only the items that are not stored yet.
/// </summary>
internal sealed partial class IngestionWorker(
    EmbeddingsClient client,
    IOptions<IngestionOptions> options,
    IHostApplicationLifetime lifetime,
    ILogger<IngestionWorker> logger) : BackgroundService
{
    private int _skipped;
    private int _failed;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            await client.WaitUntilServingAsync(TimeSpan.FromSeconds(30), stoppingToken);
            await IngestAsync(stoppingToken);
            Environment.ExitCode = _failed == 0 ? 0 : 1;
        }
        catch (Exception error) when (error is EmbeddingsException or IOException)
        {
            LogStopped(error.Message);
            Environment.ExitCode = 1;
        }
        finally
        {
            lifetime.StopApplication();
        }
    }

    private async Task IngestAsync(CancellationToken cancellationToken)
    {
        var journal = options.Value.Items + ".done";
        HashSet<string> done = File.Exists(journal) ? [.. await File.ReadAllLinesAsync(journal, cancellationToken)] : [];
        var stored = 0;
        // The client limits the items in flight, keeps the order, and resends unanswered items if the connection breaks.
        await using var acks = new StreamWriter(journal, append: true) { AutoFlush = true };
        await foreach (var response in client.StreamIngestAsync(RequestsAsync(done, cancellationToken), cancellationToken))
        {
            if (response.Error is { } error)
            {
                // An item's error does not end the stream. The item is not in the journal and is sent by the next run.
                Fail(response.ItemId, $"{error.Reason} {error.Message}");
                continue;
            }

            await acks.WriteLineAsync(response.ItemId);
            stored++;
        }

        LogFinished(stored, _skipped, _failed);
    }

    private async IAsyncEnumerable<StreamIngestRequest> RequestsAsync(
        HashSet<string> done, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var number = 0;
        await foreach (var line in File.ReadLinesAsync(options.Value.Items, cancellationToken))
        {
            number++;
            if (await RequestAsync(line, number, done, cancellationToken) is { } request)
            {
                yield return request;
            }
        }
    }

    private async Task<StreamIngestRequest?> RequestAsync(
        string line, int number, HashSet<string> done, CancellationToken cancellationToken)
    {
        try
        {
            var item = IngestionItem.Parse(line);
            if (done.Contains(item.PointId))
            {
                _skipped++;
                return null;
            }

            var folder = Path.GetDirectoryName(Path.GetFullPath(options.Value.Items))!;
            return await item.ReadAsync(folder, options.Value.Collection, cancellationToken);
        }
        catch (Exception error) when (error is JsonException or IOException or UnauthorizedAccessException)
        {
            Fail($"line {number}", error.Message);
            return null;
        }
    }

    private void Fail(string item, string reason)
    {
        // The list is read by a task of the client and the responses by this worker.
        Interlocked.Increment(ref _failed);
        LogFailed(item, reason);
    }

    [LoggerMessage(LogLevel.Information, "Stored {Stored}, skipped {Skipped}, failed {Failed}.")]
    private partial void LogFinished(int stored, int skipped, int failed);

    [LoggerMessage(LogLevel.Warning, "{Item} failed: {Reason}")]
    private partial void LogFailed(string item, string reason);

    [LoggerMessage(LogLevel.Error, "Ingestion stopped: {Reason}")]
    private partial void LogStopped(string reason);
}
