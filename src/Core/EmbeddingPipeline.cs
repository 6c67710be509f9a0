using System.Runtime.CompilerServices;
using Embeddings.Core.Batching;
using Embeddings.Core.Imaging;
using Embeddings.Core.Memory;
using Embeddings.Core.Models;
using Embeddings.Primitives;

namespace Embeddings.Core;

/// <summary>An item to embed.</summary>
/// <param name="Kind">Kind of the item.</param>
/// <param name="Model">Name of a model of that kind; empty for the default one.</param>
/// <param name="Image">The image.</param>
/// <param name="Wait">True to wait while the queue is full (streams), false to fail at once (unary calls).</param>
/// <param name="Path">Path of the image in the caller's message, for faults that name a field of it.</param>
internal readonly record struct EmbedRequest(ModelKind Kind, string Model, ImageInput Image, bool Wait, string Path = "");

/// <summary>An item's vector, and the time spent on it.</summary>
/// <param name="Model">The model that produced it.</param>
/// <param name="Vector">The vector: finite, not zero, and of L2 norm 1 if the model's vectors are.</param>
/// <param name="BatchSize">Items in the run that produced it.</param>
/// <param name="Queued">Time spent waiting for a place in a batch and for the batch to run.</param>
/// <param name="Preprocessed">Time spent on decoding, aligning, resizing and laying out.</param>
/// <param name="Ran">Duration of the run.</param>
public sealed record EmbedResult(
    ModelInfo Model, float[] Vector, int BatchSize, TimeSpan Queued, TimeSpan Preprocessed, TimeSpan Ran);

/// <summary>
/// An item in the queue. Awaiting it returns the vector, or throws a <see cref="Fault"/> or a cancellation.
/// </summary>
/// <param name="Completion">Completes when the vector is ready.</param>
internal readonly record struct PendingEmbedding(Task<EmbedResult> Completion)
{
    public static PendingEmbedding FromException(Exception exception) => new(Task.FromException<EmbedResult>(exception));

    public TaskAwaiter<EmbedResult> GetAwaiter() => Completion.GetAwaiter();
}

/// <summary>
/// The flow of every item, from pixels to a vector:
/// <list type="number">
/// <item>the model is looked up, and what can be refused without work is refused;</item>
/// <item>the item is admitted to the model's queue, bounded in items and bytes: streams wait, unary calls fail fast;</item>
/// <item>its image is decoded, aligned and resized on a bounded number of threads and within a bounded memory, fairly between
/// callers; raw crops of the model's size skip this;</item>
/// <item>it reserves a place in the open batch and its pixels are laid out there, straight into the tensor;</item>
/// <item>the batch runs;</item>
/// <item>its vector is checked, and normalized if the model's vectors have unit length.</item>
/// </list>
/// </summary>
internal sealed class EmbeddingPipeline(
    ModelCatalog models, Preprocessor preprocessor, MemoryBudget memory, EmbeddingMetrics metrics, TimeProvider time)
{
    // Work of a decode, in pixels of a JPEG, that takes so long that it gets a thread of its own: the pool starts with one thread
    // per processor, which so many decodes would hold for seconds while all other calls wait.
    private const long LongWork = 4_000_000;

    /// <summary>
    /// Puts an item in the queue. Completes when the item is admitted, so that a stream which awaits it reads no further
    /// while the queue is full. Errors are those of the pending embedding.
    /// </summary>
    public async ValueTask<PendingEmbedding> EnqueueAsync(EmbedRequest request, CancellationToken cancellationToken)
    {
        try
        {
            var model = models.Get(request.Model, request.Kind);
            preprocessor.Validate(request.Image, model.Manifest.Input);
            if (request.Image.Format != PixelFormat.Encoded)
            {
                CheckFace(request, request.Image.Width, request.Image.Height, model.Manifest.Input);
            }
            var lease = await model.AdmitAsync(request.Image.Data.Length, request.Wait, cancellationToken);

            // Raw crops of the model's size are laid out at once, by the thread that read the message: what waits is the
            // tensor's place, not the message, which is garbage before the next one is read. Decoding takes milliseconds and
            // must not hold up the reading.
            if (preprocessor.IsImmediate(request.Image, lease.Input))
            {
                return await PlaceAsync(lease, Prepare(lease, request), TimeSpan.Zero, request.Wait, cancellationToken);
            }
            return new(Task.Run(() => DecodeAsync(lease, request, cancellationToken), CancellationToken.None));
        }
        catch (Exception e) when (e is Fault or OperationCanceledException)
        {
            return PendingEmbedding.FromException(WithPath(e, request));
        }
    }

    /// <summary>Embeds an item: puts it in the queue and waits for its vector.</summary>
    public async Task<EmbedResult> EmbedAsync(EmbedRequest request, CancellationToken cancellationToken)
    {
        var pending = await EnqueueAsync(request, cancellationToken);
        return await pending;
    }

    private async Task<EmbedResult> DecodeAsync(
        ModelLease lease, EmbedRequest request, CancellationToken cancellationToken)
    {
        try
        {
            PreparedImage prepared;
            TimeSpan decoded;
            try
            {
                (prepared, decoded) = await DecodeAsync(request, lease.Input, cancellationToken);
            }
            catch
            {
                lease.Release();
                throw;
            }
            var pending = await PlaceAsync(lease, prepared, decoded, request.Wait, cancellationToken);
            return await pending;
        }
        catch (Fault fault)
        {
            throw WithPath(fault, request);
        }
    }

    // The time does not contain the wait.
    private async ValueTask<(PreparedImage Prepared, TimeSpan Took)> DecodeAsync(
        EmbedRequest request, InputSpec spec, CancellationToken cancellationToken)
    {
        var image = request.Image;
        var opening = time.GetTimestamp();
        using var file = image.Format == PixelFormat.Encoded ? preprocessor.Open(image, spec) : null;
        if (file is not null)
        {
            CheckFace(request, file.Width, file.Height, spec);
        }
        var gate = memory.Decoding;
        var cost = file is null
            ? DecodeCost.Of(image, spec, gate)
            : Preprocessor.Cost(file, image, spec, gate);
        if (cost.Bytes > gate.Largest)
        {
            throw ImageRules.TooMuchMemory(cost.Bytes, gate.Largest, file is null ? ImageRules.Data : ImageRules.Encoded);
        }
        var opened = time.GetElapsedTime(opening);
        await gate.EnterAsync(cost, Caller.Current, cancellationToken);
        try
        {
            var began = time.GetTimestamp();
            PreparedImage prepared;
            if (file is null)
            {
                prepared = preprocessor.Prepare(image, spec);
            }
            else if (cost.Work < LongWork)
            {
                prepared = Preprocessor.Prepare(file, image, spec, cancellationToken);
            }
            else
            {
                prepared = await Task.Factory.StartNew(
                    () => Preprocessor.Prepare(file, image, spec, cancellationToken),
                    CancellationToken.None,
                    TaskCreationOptions.LongRunning,
                    TaskScheduler.Default);
            }
            return (prepared, opened + time.GetElapsedTime(began));
        }
        finally
        {
            gate.Exit(cost);
        }
    }

    private static void CheckFace(in EmbedRequest request, int width, int height, InputSpec spec)
    {
        if (request is { Kind: ModelKind.Face, Image: { Landmarks: null, IsAligned: false } })
        {
            ImageRules.CheckCropped(width, height, spec);
        }
    }

    private PreparedImage Prepare(ModelLease lease, in EmbedRequest request)
    {
        try
        {
            return preprocessor.Prepare(request.Image, lease.Input);
        }
        catch
        {
            lease.Release();
            throw;
        }
    }

    /// <summary>Reserves a place in a batch and lays the pixels out in it.</summary>
    private async ValueTask<PendingEmbedding> PlaceAsync(
        ModelLease lease, PreparedImage prepared, TimeSpan decoded, bool isStream, CancellationToken cancellationToken)
    {
        try
        {
            using (prepared)
            {
                var reserving = time.GetTimestamp();
                var item = await lease.Runner.Queue.ReserveAsync(Caller.Current, cancellationToken);
                var waited = time.GetElapsedTime(reserving);

                var began = time.GetTimestamp();
                LayOut(prepared, item, lease.Input);
                var preprocessed = decoded + time.GetElapsedTime(began);

                // A unary call may run its item on its own thread: it has nothing else to do. A stream has more items to read,
                // and a slow model would keep a thread of the pool from other calls.
                var running = isStream || !lease.Model.IsQuick
                    ? item.Commit(cancellationToken)
                    : lease.Runner.CommitOnCaller(item, cancellationToken);
                return new(FinishAsync(lease, running, waited, preprocessed));
            }
        }
        catch
        {
            lease.Release();
            throw;
        }
    }

    private async Task<EmbedResult> FinishAsync(
        ModelLease lease, Task<BatchResult> running, TimeSpan waited, TimeSpan preprocessed)
    {
        try
        {
            var result = await running;
            var session = lease.Runner.Session;
            session.Finish(result.Vector);
            lease.Model.Record(result);
            var queued = waited + result.Queued;
            metrics.StageTook(EmbeddingMetrics.PreprocessStage, preprocessed);
            metrics.StageTook(EmbeddingMetrics.QueueStage, queued);
            return new(session.Model, result.Vector, result.BatchSize, queued, preprocessed, result.Ran);
        }
        finally
        {
            lease.Release();
        }
    }

    private static void LayOut(PreparedImage prepared, BatchItem item, InputSpec spec)
    {
        try
        {
            prepared.WriteTo(item.Tensor, spec);
        }
        catch
        {
            item.Abandon();
            throw;
        }
    }

    /// <summary>
    /// Makes the fault's field a path in the caller's message. The field <c>model</c> is the message's own, not the image's.
    /// </summary>
    private static Exception WithPath(Exception error, in EmbedRequest request) =>
        error is Fault { Kind: FaultKind.InvalidArgument, Field: not "model" } fault ? fault.Within(request.Path) : error;
}
