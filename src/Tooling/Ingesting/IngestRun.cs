using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using Embeddings.Client;
using Embeddings.Tooling.Items;
using Embeddings.V1;
using Grpc.Core;

namespace Embeddings.Tooling.Ingesting;

/// <summary>Settings that all items of an ingest share.</summary>
/// <param name="Kind">Whole images or faces.</param>
/// <param name="Model">Name of the model; empty for the server's default model.</param>
/// <param name="Collection">Collection to store in.</param>
/// <param name="MaxBytes">Largest image to send, in bytes.</param>
internal sealed record IngestSettings(ItemKind Kind, string Model, string Collection, int MaxBytes);

/// <summary>Counts of processed items.</summary>
internal readonly record struct ItemCounts(long Stored, long Skipped, long Failed)
{
    public long Done => Stored + Skipped + Failed;
}

/// <summary>Outcome of one item: stored, failed, or, if neither is set, skipped.</summary>
internal readonly record struct IngestOutcome(IngestItem Item, IngestAck? Ack, ItemError? Error);

/// <summary>
/// Ingests items through one stream: reads an item, skips it if it is stored already, reads its image, sends it, and
/// reports the outcome. An item that cannot be sent fails here and does not affect the stream. The client limits the
/// number of images in flight; their bytes are limited here.
/// </summary>
/// <param name="client">Client to use.</param>
/// <param name="settings">Settings of the ingest.</param>
/// <param name="stored">Ids to skip, or null.</param>
/// <param name="failures">Receives the failed items.</param>
/// <param name="report">Receives each outcome with the counts so far. Calls do not overlap.</param>
internal sealed class IngestRun(
    EmbeddingsClient client,
    IngestSettings settings,
    StoredIds? stored,
    FailedItems failures,
    Action<IngestOutcome, ItemCounts> report)
{
    private const long MaxBytesInFlight = 128 << 20;

    private readonly ByteBudget _budget = new(MaxBytesInFlight);

    // Responses arrive in request order.
    private readonly ConcurrentQueue<(IngestItem Item, int Bytes)> _sent = new();

    // The number of the first item of each point, by a hash of the id, because ids are several times larger.
    private readonly Dictionary<UInt128, long> _firstItems = [];

    private readonly Lock _lock = new();
    private ItemCounts _counts;

    public async Task RunAsync(IAsyncEnumerable<IngestItem> items, CancellationToken cancellationToken)
    {
        var requests = RequestsAsync(items, cancellationToken);
        await foreach (var response in client.StreamIngestAsync(requests, cancellationToken))
        {
            if (!_sent.TryDequeue(out var sent))
            {
                throw new ToolException("The server returned more responses than items were sent.");
            }
            _budget.GiveBack(sent.Bytes);
            Report(response.ResultCase == StreamIngestResponse.ResultOneofCase.Ack
                ? new(sent.Item, response.Ack, null)
                : new(sent.Item, null, response.Error ?? new ItemError()));
        }
    }

    private async IAsyncEnumerable<StreamIngestRequest> RequestsAsync(
        IAsyncEnumerable<IngestItem> items, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var item in items.WithCancellation(cancellationToken))
        {
            if (item.Line is null)
            {
                Report(new(item, null, item.Error));
            }
            else if (Duplicate(item, item.Line) is { } duplicate)
            {
                Report(new(item, null, duplicate));
            }
            else if (stored is not null && await stored.ContainsAsync(item.Line.PointId(settings.Kind), cancellationToken))
            {
                Report(new(item, null, null));
            }
            else if (await RequestAsync(item, item.Line, cancellationToken) is { } request)
            {
                yield return request;
            }
        }
    }

    private ItemError? Duplicate(IngestItem item, ItemListLine line)
    {
        var id = line.PointId(settings.Kind);
        var hash = BitConverter.ToUInt128(SHA256.HashData(Encoding.UTF8.GetBytes(id)));
        if (_firstItems.TryAdd(hash, item.Number))
        {
            return null;
        }
        var message = $"Line {item.Number} has the same point id as line {_firstItems[hash]}: '{id}'. "
            + $"Give each item its own job_id{(settings.Kind == ItemKind.Face ? " or face_index" : "")}.";
        return new ItemFault(StatusCode.InvalidArgument, ItemFault.DuplicateItem, message, "job_id").Error;
    }

    private async Task<StreamIngestRequest?> RequestAsync(
        IngestItem item, ItemListLine line, CancellationToken cancellationToken)
    {
        try
        {
            var image = await ImageFile.ReadAsync(item.File, settings.MaxBytes, cancellationToken);
            var bytes = image.Encoded.Length;
            await _budget.TakeAsync(bytes, cancellationToken);
            _sent.Enqueue((item, bytes));
            return line.ToRequest(item.Number, image, settings);
        }
        catch (ItemFault fault)
        {
            Report(new(item, null, fault.Error));
            return null;
        }
    }

    private void Report(IngestOutcome outcome)
    {
        lock (_lock)
        {
            if (outcome.Error is { } error)
            {
                failures.Add(outcome.Item, error);
                _counts = _counts with { Failed = _counts.Failed + 1 };
            }
            else if (outcome.Ack is null)
            {
                _counts = _counts with { Skipped = _counts.Skipped + 1 };
            }
            else
            {
                _counts = _counts with { Stored = _counts.Stored + 1 };
            }
            report(outcome, _counts);
        }
    }
}
