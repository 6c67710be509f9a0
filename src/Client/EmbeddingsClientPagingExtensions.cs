using System.Runtime.CompilerServices;
using Embeddings.V1;

namespace Embeddings.Client;

/// <summary>
/// Enumerates complete lists. Pages are requested when they are needed. The methods throw the same exceptions as the
/// methods that they call.
/// </summary>
public static class EmbeddingsClientPagingExtensions
{
    /// <summary>
    /// Enumerates all matching points. Each point is returned once if nothing is written during the enumeration.
    /// </summary>
    /// <param name="client">Client to use.</param>
    /// <param name="request">
    /// Collection, filter, page size, and, in <c>page_token</c>, the page to start from. Not modified.
    /// </param>
    /// <param name="cancellationToken">Cancels the enumeration.</param>
    public static async IAsyncEnumerable<VectorPoint> ListAllVectorsAsync(
        this EmbeddingsClient client, ListVectorsRequest request, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var page = request.Clone();
        do
        {
            var response = await client.ListVectorsAsync(page, cancellationToken).ConfigureAwait(false);
            foreach (var point in response.Points)
            {
                yield return point;
            }

            page.PageToken = Next(page.PageToken, response.NextPageToken);
        }
        while (page.PageToken.Length > 0);
    }

    /// <summary>Enumerates all points of a collection, with or without their vectors.</summary>
    /// <param name="client">Client to use.</param>
    /// <param name="collection">Name of the collection.</param>
    /// <param name="filter">Filter that the points must match, or null for all points.</param>
    /// <param name="withVectors">Whether the points include their vectors.</param>
    /// <param name="cancellationToken">Cancels the enumeration.</param>
    public static IAsyncEnumerable<VectorPoint> ListAllVectorsAsync(
        this EmbeddingsClient client, string collection, Filter? filter = null, bool withVectors = false, CancellationToken cancellationToken = default) =>
        client.ListAllVectorsAsync(new ListVectorsRequest { Collection = collection, Filter = filter, WithVectors = withVectors }, cancellationToken);

    /// <summary>Enumerates all models of the server, sorted by name.</summary>
    /// <param name="client">Client to use.</param>
    /// <param name="cancellationToken">Cancels the enumeration.</param>
    public static async IAsyncEnumerable<Model> ListAllModelsAsync(
        this EmbeddingsClient client, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var page = new ListModelsRequest();
        do
        {
            var response = await client.ListModelsAsync(page, cancellationToken).ConfigureAwait(false);
            foreach (var model in response.Models)
            {
                yield return model;
            }

            page.PageToken = Next(page.PageToken, response.NextPageToken);
        }
        while (page.PageToken.Length > 0);
    }

    /// <summary>Enumerates all collections, sorted by name.</summary>
    /// <param name="client">Client to use.</param>
    /// <param name="cancellationToken">Cancels the enumeration.</param>
    public static async IAsyncEnumerable<Collection> ListAllCollectionsAsync(
        this EmbeddingsClient client, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var page = new ListCollectionsRequest();
        do
        {
            var response = await client.ListCollectionsAsync(page, cancellationToken).ConfigureAwait(false);
            foreach (var collection in response.Collections)
            {
                yield return collection;
            }

            page.PageToken = Next(page.PageToken, response.NextPageToken);
        }
        while (page.PageToken.Length > 0);
    }

    // A server that returned the same page token again would cause an infinite loop.
    private static string Next(string current, string next) => next.Length == 0 || next != current
        ? next
        : throw new EmbeddingsException(
            Grpc.Core.StatusCode.Internal,
            "PROTOCOL_VIOLATION",
            "The server returned the token of the current page as the next page token.");
}
