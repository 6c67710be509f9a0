namespace Embeddings.Core.Memory;

/// <summary>
/// The caller of the current call, by which work is shared fairly: its name, or its connection if it has none. It flows with the call, so that it is not a
/// parameter of every method between the server and the queues.
/// </summary>
internal static class Caller
{
    private static readonly AsyncLocal<object?> Value = new();
    private static readonly object Process = new();

    /// <summary>The caller; the process itself outside of calls.</summary>
    public static object Current
    {
        get => Value.Value ?? Process;
        set => Value.Value = value;
    }
}
