using System.Collections.Concurrent;

namespace Embeddings.Client.Tests.Doubles;

/// <summary>The real clock, but nobody waits: every timer is due at once and noted.</summary>
internal sealed class HurriedTime : TimeProvider
{
    public ConcurrentQueue<TimeSpan> Waits { get; } = new();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        Waits.Enqueue(dueTime);
        return base.CreateTimer(callback, state, TimeSpan.Zero, Timeout.InfiniteTimeSpan);
    }
}
