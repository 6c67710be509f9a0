using System.Runtime.CompilerServices;
using Embeddings.V1;

namespace Embeddings.Client;

/// <summary>Lists without their pages: each next page is asked for when it is needed. They throw as the methods they call do.</summary>
public static class EmbeddingsClientPagingExtensions
{
    /// <summary>Every point that matches, each once as long as nothing is written meanwhile.</summary>
    /// <param name="client">The client.</param>
    /// <param name="request">Which points, the size of the pages and, as its <c>page_token</c>, where to start. Not changed.</param>
    /// <param name="cancellationToken">Ends the enumeration.</param>
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

    /// <summary>Every point of a collection, with or without its vector.</summary>
    /// <param name="client">The client.</param>
    /// <param name="collection">The collection.</param>
    /// <param name="filter">Which points; null for all.</param>
    /// <param name="withVectors">Whether the points come with their vectors.</param>
    /// <param name="cancellationToken">Ends the enumeration.</param>
    public static IAsyncEnumerable<VectorPoint> ListAllVectorsAsync(
        this EmbeddingsClient client, string collection, Filter? filter = null, bool withVectors = false, CancellationToken cancellationToken = default) =>
        client.ListAllVectorsAsync(new ListVectorsRequest { Collection = collection, Filter = filter, WithVectors = withVectors }, cancellationToken);

    /// <summary>Every model of the server, by name.</summary>
    /// <param name="client">The client.</param>
    /// <param name="cancellationToken">Ends the enumeration.</param>
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

    /// <summary>Every collection, by name.</summary>
    /// <param name="client">The client.</param>
    /// <param name="cancellationToken">Ends the enumeration.</param>
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

    // A server that hands out the same page again would keep its caller for ever.
    private static string Next(string current, string next) => next.Length == 0 || next != current
        ? next
        : throw new EmbeddingsException(Grpc.Core.StatusCode.Internal, "PROTOCOL_VIOLATION", "The server gave a page's own token as the next one's.");
}
