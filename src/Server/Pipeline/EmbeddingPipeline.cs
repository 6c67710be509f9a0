using Embeddings.Server.Batching;
using Embeddings.Server.Diagnostics;
using Embeddings.Server.Imaging;
using Embeddings.Server.Inference;

namespace Embeddings.Server.Pipeline;

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
            var host = models.Get(request.Model, request.Kind);
            var spec = host.Model.Manifest.Input;
            preprocessor.Validate(request.Image, spec);

            var cost = ModelHost.CostOf(request.Image.Data.Length);
            if (request.Wait)
            {
                await host.Gate.EnterAsync(cost, cancellationToken);
            }
            else if (!host.Gate.TryEnter(cost))
            {
                throw host.QueueFull();
            }

            // Raw crops of the model's size are laid out at once, by the thread that read the message: what waits is the tensor's place, not the message, which
            // is garbage before the next one is read. What has to be decoded takes milliseconds and must not hold up the reading.
            return preprocessor.IsImmediate(request.Image, spec)
                ? await PlaceAsync(host, preprocessor.Prepare(request.Image, spec), TimeSpan.Zero, cost, cancellationToken)
                : Task.Run(() => DecodeAsync(host, request, cost, cancellationToken), CancellationToken.None);
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

    private async Task<EmbedResult> DecodeAsync(ModelHost host, EmbedRequest request, long cost, CancellationToken cancellationToken)
    {
        try
        {
            PreparedImage prepared;
            TimeSpan decoded;
            try
            {
                await _decodes.WaitAsync(cancellationToken);
                try
                {
                    var began = time.GetTimestamp();
                    prepared = preprocessor.Prepare(request.Image, host.Model.Manifest.Input);
                    decoded = time.GetElapsedTime(began);
                }
                finally
                {
                    _decodes.Release();
                }
            }
            catch
            {
                host.Gate.Exit(cost);
                throw;
            }
            return await await PlaceAsync(host, prepared, decoded, cost, cancellationToken);
        }
        catch (Fault fault)
        {
            throw Named(fault, request);
        }
    }

    /// <summary>Reserves a place and lays the pixels out in it. From here on the gate is left when the item has run, or fails.</summary>
    private async ValueTask<Task<EmbedResult>> PlaceAsync(ModelHost host, PreparedImage prepared, TimeSpan decoded, long cost, CancellationToken cancellationToken)
    {
        try
        {
            using (prepared)
            {
                var asked = time.GetTimestamp();
                var item = await host.Queue.ReserveAsync(cancellationToken);
                var waited = time.GetElapsedTime(asked);

                var began = time.GetTimestamp();
                LayOut(prepared, item, host.Model.Manifest.Input);
                return FinishAsync(host, item.Commit(cancellationToken), waited, decoded + time.GetElapsedTime(began), cost);
            }
        }
        catch
        {
            host.Gate.Exit(cost);
            throw;
        }
    }

    private async Task<EmbedResult> FinishAsync(ModelHost host, Task<BatchResult> running, TimeSpan waited, TimeSpan preprocessed, long cost)
    {
        try
        {
            var result = await running;
            host.Model.Finish(result.Vector);
            host.Learn(result);
            metrics.StageTook("preprocess", preprocessed);
            metrics.StageTook("queue", waited + result.Queued);
            return new(host.Model, result.Vector, result.BatchSize, waited + result.Queued, preprocessed, result.Ran);
        }
        finally
        {
            host.Gate.Exit(cost);
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
