using System.Globalization;
using System.Runtime.CompilerServices;
using Embeddings.V1;

namespace Embeddings.Client.Tests.Doubles;

/// <summary>Source of the items 0, 1, 2, and so on, which records how many have been read.</summary>
internal sealed class Source(int count)
{
    private readonly TaskCompletionSource _disposed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _read;

    public int Read => Volatile.Read(ref _read);

    /// <summary>Completes when the enumerator has been disposed of.</summary>
    public Task Disposed => _disposed.Task;

    /// <summary>Awaited before each item.</summary>
    public Func<int, CancellationToken, Task> Before { get; init; } = (_, _) => Task.CompletedTask;

    public async IAsyncEnumerable<StreamEmbedRequest> ItemsAsync(
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        try
        {
            for (var i = 0; i < count; i++)
            {
                await Before(i, cancellationToken);
                Interlocked.Increment(ref _read);
                yield return new StreamEmbedRequest { ItemId = i.ToString(CultureInfo.InvariantCulture), Image = new Image() };
            }
        }
        finally
        {
            _disposed.SetResult();
        }
    }

    /// <summary>Fails unless the responses are 0, 1, 2, and so on to count - 1.</summary>
    public static void AssertAnswered(int count, IReadOnlyList<StreamEmbedResponse> responses) =>
        Assert.Equal(Enumerable.Range(0, count), responses.Select(response => (int)response.Embedding.Values[0]));
}
