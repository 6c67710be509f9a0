using System.Runtime.CompilerServices;
using Embeddings.V1;
using Grpc.Core;

namespace Embeddings.Client.Tests.Doubles;

/// <summary>Messages of a stream and their items.</summary>
internal static class StreamItems
{
    /// <summary>Returns the items of a message: itself, or those that it has.</summary>
    public static IReadOnlyList<T> Of<T>(T message)
        where T : class, IStreamMessage<T> =>
        message.Items.Count == 0 ? [message] : message.Items;

    /// <summary>Reads the items of all messages.</summary>
    public static async IAsyncEnumerable<T> ReadItemsAsync<T>(
        this IAsyncStreamReader<T> requests, [EnumeratorCancellation] CancellationToken cancellationToken = default)
        where T : class, IStreamMessage<T>
    {
        while (await requests.MoveNext(cancellationToken))
        {
            foreach (var item in Of(requests.Current))
            {
                yield return item;
            }
        }
    }
}
