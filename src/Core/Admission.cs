using Embeddings.Core.Models;

namespace Embeddings.Core;

/// <summary>An item's place in the queue of a model that is in memory. Left exactly once: when the item has run, or has failed before.</summary>
internal readonly record struct Admission(ModelSlot Slot, ModelHost Host, long Cost)
{
    /// <summary>What the model that was entered wants to see; it may have been replaced since the request was checked.</summary>
    public InputSpec Input => Host.Model.Manifest.Input;

    public void Leave()
    {
        Slot.Exit(Host);
        Slot.Gate.Exit(Cost);
    }
}
