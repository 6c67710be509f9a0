using Embeddings.Core.Memory;

namespace Embeddings.Server.Grpc.Admission;

/// <summary>The memory of the messages of a call.</summary>
internal interface IMessageCharges
{
    /// <summary>
    /// Returns the charge of the message that was read last, or null if it has none. The caller disposes it when the message is
    /// not used any more.
    /// </summary>
    MessageCharge? Take();
}

/// <summary>
/// The memory of a message, from when it is received until its items have been processed. It is not released in between, so
/// that no item waits for memory while it holds other memory.
/// </summary>
internal sealed class MessageCharge(MemoryBudget memory, Charge charge) : IDisposable
{
    private int _holders = 1;

    /// <summary>
    /// Returns the share of an item: the memory is released when this instance and all shares are disposed.
    /// </summary>
    /// <param name="bytes">Size of the item.</param>
    public IDisposable Share(int bytes)
    {
        Interlocked.Increment(ref _holders);
        return new ItemShare(this, bytes);
    }

    public void Dispose()
    {
        if (Interlocked.Decrement(ref _holders) == 0)
        {
            memory.Messages.Exit(charge);
        }
    }

    private void Discard(int bytes) => memory.Discard(bytes);

    private sealed class ItemShare(MessageCharge message, int bytes) : IDisposable
    {
        public void Dispose()
        {
            message.Discard(bytes);
            message.Dispose();
        }
    }
}
