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
/// <param name="Kind">Whole images, faces, or photos.</param>
/// <param name="Model">Name of the model; empty for the server's default model.</param>
/// <param name="Collection">Collection to store in.</param>
/// <param name="MaxBytes">Largest image to send, in bytes.</param>
internal sealed record IngestSettings(ItemKind Kind, string Model, string Collection, int MaxBytes)
{
    /// <summary>Attributes to add to all items, or null.</summary>
    public ItemAttributes? Added { get; init; }

    /// <summary>Faces to keep of each photo, or null for the server's defaults.</summary>
    public FaceOptions? Faces { get; init; }

    /// <summary>Whether faces without landmarks are aligned crops, whatever their size and shape.</summary>
    public bool Aligned { get; init; }
}

/// <summary>Counts of processed items.</summary>
internal readonly record struct ItemCounts(long Stored, long Skipped, long Failed)
{
    public long Done => Stored + Skipped + Failed;
}

/// <summary>Outcome of one item: stored (an ack, or that of a photo), failed, or, if none is set, skipped.</summary>
internal readonly record struct IngestOutcome(
    IngestItem Item, IngestAck? Ack = null, ItemError? Error = null, PhotoAck? PhotoAck = null);

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

    // The number of the first item of each point or photo, by a hash of the id, because ids are several times larger.
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
            Report(response.ResultCase switch
            {
                StreamIngestResponse.ResultOneofCase.Ack => new(sent.Item, Ack: response.Ack),
                StreamIngestResponse.ResultOneofCase.PhotoAck => new(sent.Item, PhotoAck: response.PhotoAck),
                _ => new(sent.Item, Error: response.Error ?? new ItemError()),
            });
        }
    }

    private async IAsyncEnumerable<StreamIngestRequest> RequestsAsync(
        IAsyncEnumerable<IngestItem> items, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var item in items.WithCancellation(cancellationToken))
        {
            if (item.Line is null)
            {
                Report(new(item, Error: item.Error));
            }
            else if (Duplicate(item, item.Line) is { } duplicate)
            {
                Report(new(item, Error: duplicate));
            }
            else if (stored is not null && await stored.ContainsAsync(item.Line.StoredId(settings.Kind), cancellationToken))
            {
                Report(new(item));
            }
            else if (await RequestAsync(item, item.Line, cancellationToken) is { } request)
            {
                yield return request;
            }
        }
    }

    private ItemError? Duplicate(IngestItem item, ItemListLine line)
    {
        var id = line.Id(settings.Kind);
        var hash = BitConverter.ToUInt128(SHA256.HashData(Encoding.UTF8.GetBytes(id)));
        if (_firstItems.TryAdd(hash, item.Number))
        {
            return null;
        }
        var what = settings.Kind == ItemKind.Photo ? "job_id" : "point id";
        var message = $"Line {item.Number} has the same {what} as line {_firstItems[hash]}: '{id}'. "
            + $"Give each item its own job_id{(settings.Kind == ItemKind.Face ? " or face_index" : "")}.";
        return new ItemFault(StatusCode.InvalidArgument, ItemFault.DuplicateItem, message, "job_id").Error;
    }

    private async Task<StreamIngestRequest?> RequestAsync(
        IngestItem item, ItemListLine line, CancellationToken cancellationToken)
    {
        try
        {
            var image = await ImageFile.ReadAsync(item.File, settings.MaxBytes, cancellationToken);
            var request = line.ToRequest(item, image, settings);
            var bytes = image.Encoded.Length;
            await _budget.TakeAsync(bytes, cancellationToken);
            _sent.Enqueue((item, bytes));
            return request;
        }
        catch (ItemFault fault)
        {
            Report(new(item, Error: fault.Error));
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
            else if (outcome is { Ack: null, PhotoAck: null })
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
