using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Embeddings.Client;
using Embeddings.V1;

namespace Embeddings.Cli.Ingesting;

/// <summary>
/// The flow of an ingest: read an item, pass over what is stored, read its picture, send it, take down the answer. What cannot be sent fails here and
/// does not disturb the stream. Pictures in flight are bounded in number by the client and in bytes here.
/// </summary>
internal sealed class IngestRun(EmbeddingsClient client, IngestSettings settings, StoredIds? stored, IngestReport report)
{
    private const long MaxBytesInFlight = 128 << 20;

    private readonly ByteBudget _budget = new(MaxBytesInFlight);

    // Answers come in the order of the requests.
    private readonly ConcurrentQueue<(IngestItem Item, int Bytes)> _sent = new();

    public async Task RunAsync(IAsyncEnumerable<IngestItem> items, CancellationToken cancellationToken)
    {
        await foreach (var answer in client.StreamIngestAsync(RequestsAsync(items, cancellationToken), cancellationToken))
        {
            if (!_sent.TryDequeue(out var sent))
            {
                throw new CliException("the server answered more items than were sent");
            }
            _budget.GiveBack(sent.Bytes);
            if (answer.ResultCase == StreamIngestResponse.ResultOneofCase.Ack)
            {
                report.Stored(sent.Item, answer.Ack);
            }
            else
            {
                report.Failed(sent.Item, answer.Error ?? new ItemError());
            }
        }
    }

    private async IAsyncEnumerable<StreamIngestRequest> RequestsAsync(
        IAsyncEnumerable<IngestItem> items, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var item in items.WithCancellation(cancellationToken))
        {
            if (item.Line is null)
            {
                report.Failed(item, item.Error!);
                continue;
            }
            if (stored is not null && await stored.ContainsAsync(item.Line.PointId(settings.Kind), cancellationToken))
            {
                report.Skipped();
                continue;
            }
            if (await RequestAsync(item, item.Line, cancellationToken) is { } request)
            {
                yield return request;
            }
        }
    }

    private async Task<StreamIngestRequest?> RequestAsync(IngestItem item, ManifestLine line, CancellationToken cancellationToken)
    {
        try
        {
            var bytes = await PictureFile.ReadAsync(item.File, settings.MaxBytes, cancellationToken);
            await _budget.TakeAsync(bytes.Length, cancellationToken);
            _sent.Enqueue((item, bytes.Length));
            return IngestRequests.Of(item.Number, line, PictureFile.ToImage(bytes), settings);
        }
        catch (ItemFault fault)
        {
            report.Failed(item, fault.Error);
            return null;
        }
    }
}
