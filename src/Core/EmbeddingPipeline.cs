using Embeddings.Core.Batching;
using Embeddings.Core.Imaging;
using Embeddings.Core.Models;
using Embeddings.Primitives;

namespace Embeddings.Core;

/// <summary>
/// The flow of every item, from pixels to a vector:
/// <list type="number">
/// <item>the model is found, and what can be refused without work is refused;</item>
/// <item>the item is let into the model's queue, which is bounded in items and bytes: streams wait, unary calls fail fast;</item>
/// <item>its picture is decoded, aligned and resized, on a bounded number of threads; raw crops of the model's size skip this;</item>
/// <item>it reserves a place in the open batch and its pixels are laid out there, straight into the tensor;</item>
/// <item>the batch runs;</item>
/// <item>its vector is finished: checked, and brought to unit length where the model says so.</item>
/// </list>
/// </summary>
internal sealed class EmbeddingPipeline(ModelCatalog models, Preprocessor preprocessor, ImagingOptions imaging, EmbeddingMetrics metrics, TimeProvider time) : IDisposable
{
    private readonly SemaphoreSlim _decodes = new(imaging.MaxConcurrentDecodes > 0 ? imaging.MaxConcurrentDecodes : Environment.ProcessorCount);

    /// <summary>
    /// The outer task ends when the item is in the queue, so that a stream which awaits it reads no further while the queue is full; the inner one when the
    /// vector is there. Errors (<see cref="Fault"/>, cancellation) are the inner task's.
    /// </summary>
    public async ValueTask<Task<EmbedResult>> StartAsync(EmbedRequest request, CancellationToken cancellationToken)
    {
        try
        {
            var slot = models.Get(request.Model, request.Kind);
            preprocessor.Validate(request.Image, slot.Manifest.Input);
            var admission = await AdmitAsync(slot, request, cancellationToken);

            // Raw crops of the model's size are laid out at once, by the thread that read the message: what waits is the tensor's place, not the message, which
            // is garbage before the next one is read. What has to be decoded takes milliseconds and must not hold up the reading.
            return preprocessor.IsImmediate(request.Image, admission.Input)
                ? await PlaceAsync(admission, Prepare(admission, request), TimeSpan.Zero, request.Wait, cancellationToken)
                : Task.Run(() => DecodeAsync(admission, request, cancellationToken), CancellationToken.None);
        }
        catch (Exception e) when (e is Fault or OperationCanceledException)
        {
            return Task.FromException<EmbedResult>(Named(e, request));
        }
    }

    /// <summary>Both steps of <see cref="StartAsync"/>.</summary>
    public async Task<EmbedResult> EmbedAsync(EmbedRequest request, CancellationToken cancellationToken) =>
        await await StartAsync(request, cancellationToken);

    public void Dispose() => _decodes.Dispose();

    private static async ValueTask<Admission> AdmitAsync(ModelSlot slot, EmbedRequest request, CancellationToken cancellationToken)
    {
        var cost = ModelSlot.CostOf(request.Image.Data.Length);
        if (request.Wait)
        {
            await slot.Gate.EnterAsync(cost, cancellationToken);
        }
        else if (!slot.Gate.TryEnter(cost))
        {
            throw slot.QueueFull();
        }
        try
        {
            return new(slot, await slot.EnterAsync(cancellationToken), cost);
        }
        catch
        {
            slot.Gate.Exit(cost);
            throw;
        }
    }

    private async Task<EmbedResult> DecodeAsync(Admission admission, EmbedRequest request, CancellationToken cancellationToken)
    {
        try
        {
            try
            {
                await _decodes.WaitAsync(cancellationToken);
            }
            catch
            {
                admission.Leave();
                throw;
            }
            PreparedImage prepared;
            TimeSpan decoded;
            try
            {
                var began = time.GetTimestamp();
                prepared = Prepare(admission, request);
                decoded = time.GetElapsedTime(began);
            }
            finally
            {
                _decodes.Release();
            }
            return await await PlaceAsync(admission, prepared, decoded, request.Wait, cancellationToken);
        }
        catch (Fault fault)
        {
            throw Named(fault, request);
        }
    }

    private PreparedImage Prepare(Admission admission, in EmbedRequest request)
    {
        try
        {
            return preprocessor.Prepare(request.Image, admission.Input);
        }
        catch
        {
            admission.Leave();
            throw;
        }
    }

    /// <summary>Reserves a place and lays the pixels out in it.</summary>
    private async ValueTask<Task<EmbedResult>> PlaceAsync(Admission admission, PreparedImage prepared, TimeSpan decoded, bool isStream, CancellationToken cancellationToken)
    {
        try
        {
            using (prepared)
            {
                var asked = time.GetTimestamp();
                var item = await admission.Host.Queue.ReserveAsync(cancellationToken);
                var waited = time.GetElapsedTime(asked);

                var began = time.GetTimestamp();
                LayOut(prepared, item, admission.Input);
                var preprocessed = decoded + time.GetElapsedTime(began);

                // A unary call may run its item itself: it has nothing else to do. A stream has more items to read meanwhile, and a slow model would keep
                // a thread of the pool from other calls.
                var running = isStream || !admission.Slot.IsQuick ? item.Commit(cancellationToken) : admission.Host.CommitHere(item, cancellationToken);
                return FinishAsync(admission, running, waited, preprocessed);
            }
        }
        catch
        {
            admission.Leave();
            throw;
        }
    }

    private async Task<EmbedResult> FinishAsync(Admission admission, Task<BatchResult> running, TimeSpan waited, TimeSpan preprocessed)
    {
        try
        {
            var result = await running;
            var model = admission.Host.Model;
            model.Finish(result.Vector);
            admission.Slot.Learn(result);
            metrics.StageTook("preprocess", preprocessed);
            metrics.StageTook("queue", waited + result.Queued);
            return new(model, result.Vector, result.BatchSize, waited + result.Queued, preprocessed, result.Ran);
        }
        finally
        {
            admission.Leave();
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

    /// <summary>The error, its field as the caller's message has it. The model's name stands in the message itself, not in the picture.</summary>
    private static Exception Named(Exception error, in EmbedRequest request) =>
        error is Fault { Kind: FaultKind.InvalidArgument, Field: not "model" } fault ? fault.Within(request.Path) : error;
}
