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
            Validate(request, host.Model.Manifest.Input);

            var cost = ModelHost.CostOf(request.Image.Data.Length);
            if (request.Wait)
            {
                await host.Gate.EnterAsync(cost, cancellationToken);
            }
            else if (!host.Gate.TryEnter(cost))
            {
                throw host.QueueFull();
            }

            // What takes microseconds is done at once, on the thread that read the message; what takes milliseconds must not hold up the reading.
            return preprocessor.IsImmediate(request.Image, host.Model.Manifest.Input)
                ? RunAsync(host, request, cost, cancellationToken)
                : Task.Run(() => RunAsync(host, request, cost, cancellationToken), CancellationToken.None);
        }
        catch (Exception e) when (e is Fault or OperationCanceledException)
        {
            return Task.FromException<EmbedResult>(e);
        }
    }

    /// <summary>Both steps of <see cref="StartAsync"/>.</summary>
    public async Task<EmbedResult> EmbedAsync(EmbedRequest request, CancellationToken cancellationToken) =>
        await await StartAsync(request, cancellationToken);

    public void Dispose() => _decodes.Dispose();

    private async Task<EmbedResult> RunAsync(ModelHost host, EmbedRequest request, long cost, CancellationToken cancellationToken)
    {
        try
        {
            var spec = host.Model.Manifest.Input;
            var (prepared, decoded) = await PrepareAsync(host, request.Image, cancellationToken);
            using (prepared)
            {
                var asked = time.GetTimestamp();
                var item = await host.Queue.ReserveAsync(cancellationToken);
                var waited = time.GetElapsedTime(asked);

                var began = time.GetTimestamp();
                LayOut(prepared, item, spec);
                var laidOut = time.GetElapsedTime(began);

                var result = await item.Commit(cancellationToken);
                host.Model.Finish(result.Vector);
                host.Learn(result);
                metrics.StageTook("preprocess", decoded + laidOut);
                metrics.StageTook("queue", waited + result.Queued);
                return new(host.Model, result.Vector, result.BatchSize, waited + result.Queued, decoded + laidOut, result.Ran);
            }
        }
        catch (Fault fault) when (fault.Kind == FaultKind.InvalidArgument)
        {
            throw fault.Within(request.Path);
        }
        finally
        {
            host.Gate.Exit(cost);
        }
    }

    private void Validate(in EmbedRequest request, InputSpec spec)
    {
        try
        {
            preprocessor.Validate(request.Image, spec);
        }
        catch (Fault fault)
        {
            throw fault.Within(request.Path);
        }
    }

    private async ValueTask<(PreparedImage Image, TimeSpan Took)> PrepareAsync(ModelHost host, ImageInput image, CancellationToken cancellationToken)
    {
        var spec = host.Model.Manifest.Input;
        if (preprocessor.IsImmediate(image, spec))
        {
            return (preprocessor.Prepare(image, spec), TimeSpan.Zero);
        }
        await _decodes.WaitAsync(cancellationToken);
        try
        {
            var began = time.GetTimestamp();
            return (preprocessor.Prepare(image, spec), time.GetElapsedTime(began));
        }
        finally
        {
            _decodes.Release();
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
}
