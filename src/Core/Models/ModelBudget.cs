using Embeddings.Core.Inference;
using Embeddings.Primitives;

namespace Embeddings.Core.Models;

/// <summary>Keeps the models in memory within a number of bytes: who has been idle longest goes first, who is in use stays.</summary>
/// <param name="limit">Bytes of model files, once for each copy of the weights; 0 for no limit.</param>
/// <param name="inference">How many sessions a model gets.</param>
internal sealed class ModelBudget(long limit, InferenceOptions inference)
{
    private readonly Lock _lock = new();
    private readonly List<ModelSlot> _slots = [];

    public void Add(ModelSlot slot)
    {
        lock (_lock)
        {
            _slots.Add(slot);
        }
    }

    /// <summary>Unloads others until the model fits. UNAVAILABLE where those that could go are in use.</summary>
    public void MakeRoom(ModelSlot wanted)
    {
        if (limit == 0)
        {
            return;
        }
        lock (_lock)
        {
            var bytes = Bytes(wanted);
            if (bytes > limit)
            {
                throw new ModelException(wanted.File, $"takes about {bytes:N0} bytes, Models:MaxLoadedBytes is {limit:N0}");
            }
            while (_slots.Where(slot => slot != wanted && slot.Loaded is not null).Sum(Bytes) + bytes > limit)
            {
                if (!_slots.Where(slot => slot != wanted && slot.Loaded is not null).OrderByDescending(slot => slot.Idle).Any(slot => slot.TryUnload()))
                {
                    throw new Fault(
                        FaultKind.Unavailable, Reasons.ModelUnavailable, $"there is no room for the model '{wanted.Name}' while others are in use; try again, or raise Models:MaxLoadedBytes",
                        "model", TimeSpan.FromSeconds(1));
                }
            }
        }
    }

    private long Bytes(ModelSlot slot)
    {
        var model = Path.ChangeExtension(slot.File, ".onnx");
        var bytes = ModelFile.Bytes(model);
        // Where the processor may stand in for a device, models are counted as it runs them: only their load finds out.
        var options = inference.AllowCpuFallback ? inference with { Provider = ExecutionProvider.Cpu } : inference;
        return bytes * SessionPlan.For(options, slot.Manifest.MaxBatch == 1, Environment.ProcessorCount, bytes).Copies;
    }
}
