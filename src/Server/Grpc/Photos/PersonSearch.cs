using Embeddings.Core;
using Embeddings.Core.Faces;
using Embeddings.Primitives;
using Embeddings.Server.Grpc.Mapping;
using Embeddings.Server.Grpc.Persons;
using Embeddings.Storage;

namespace Embeddings.Server.Grpc.Photos;

/// <summary>Parameters of a search for persons.</summary>
/// <param name="Collection">Collection of the known faces.</param>
/// <param name="MaxPersons">Maximum number of persons for each face.</param>
/// <param name="Threshold">Similarity from which a face shows a person; null for that of the model.</param>
/// <param name="Filter">Points to compare with.</param>
internal sealed record PersonQuery(string Collection, int MaxPersons, float? Threshold, PointFilter Filter)
{
    private const int DefaultPersons = 3;
    private const int LargestPersons = 100;

    public static PersonQuery Read(V1.IdentifyFacesRequest request)
    {
        var filter = FilterMapping.ToStored(request.Filter);
        return new(
            Require.Collection(request.Collection),
            Require.Count(request.MaxPersons, "max_persons", DefaultPersons, LargestPersons),
            request.HasThreshold ? Require.InRange(request.Threshold, "threshold", -1, 1) : null,
            filter with { Attributes = [.. filter.Attributes, new(PersonAttributes.Person, Exists: true)] });
    }
}

/// <summary>Finds the persons that faces resemble: those of the most similar named points.</summary>
internal sealed class PersonSearch(IVectorStore store, TimeProvider time)
{
    // Points for each person at first; if their points show fewer persons than wanted, the limit of a search is used.
    private const int PointsPerPerson = 8;
    private const int MaxPoints = 1_000;

    /// <summary>
    /// Returns the persons of each face, the most similar first, with the threshold that was applied.
    /// </summary>
    public async Task<(IReadOnlyList<IReadOnlyList<V1.PersonMatch>> Persons, float Threshold, TimeSpan Took)> SearchAsync(
        PersonQuery query, EmbeddedPhoto photo, ResponseLease lease, CancellationToken cancellationToken)
    {
        var threshold = query.Threshold ?? photo.Model.Manifest.SuggestedThreshold ?? throw Fault.Invalid(
            Reasons.FieldRequired,
            "threshold",
            $"threshold is required: model '{photo.Model.Name}' has no suggested threshold. "
                + "Measure one with 'embeddings models check --write-threshold'.");
        var info = await store.FindCollectionAsync(query.Collection, cancellationToken)
            ?? throw CollectionFaults.NotFound(query.Collection);
        info.Spec.Adopts(Collections.SpecFor(query.Collection, photo.Model));

        var began = time.GetTimestamp();
        var result = new List<IReadOnlyList<V1.PersonMatch>>(photo.Embeddings.Count);
        foreach (var faces in photo.Embeddings.Chunk(SearchHandler.MaxQueries))
        {
            var first = Math.Min(query.MaxPersons * PointsPerPerson, MaxPoints);
            result.AddRange(await SearchAsync(query, faces, first, threshold, lease, cancellationToken));
        }
        return (result, threshold, time.GetElapsedTime(began));
    }

    private async Task<IReadOnlyList<V1.PersonMatch>[]> SearchAsync(
        PersonQuery query,
        IReadOnlyList<EmbedResult> faces,
        int limit,
        float threshold,
        ResponseLease lease,
        CancellationToken cancellationToken)
    {
        var spec = new SearchSpec { Limit = limit, Filter = query.Filter, Lease = lease };
        var vectors = faces.Select(face => new VectorQuery(face.Vector)).ToList();
        var found = await store.SearchAsync(query.Collection, vectors, spec, cancellationToken);
        var persons = found.Select(points => ToPersons(points, query.MaxPersons, threshold)).ToArray();

        // Many similar faces of one person may leave no room for others.
        var few = Enumerable.Range(0, faces.Count)
            .Where(i => persons[i].Count < query.MaxPersons && found[i].Count == limit)
            .ToList();
        if (limit < MaxPoints && few.Count > 0)
        {
            var more = await SearchAsync(
                query, [.. few.Select(i => faces[i])], MaxPoints, threshold, lease, cancellationToken);
            for (var i = 0; i < few.Count; i++)
            {
                persons[few[i]] = more[i];
            }
        }
        return persons;
    }

    private static IReadOnlyList<V1.PersonMatch> ToPersons(
        IReadOnlyList<ScoredStoredPoint> points, int maxPersons, float threshold) =>
    [
        // The points are sorted: the first of a person is its most similar one.
        .. points
            .Select(point => (Point: point, Person: PersonAttributes.PersonOf(point.Point.Payload.Attributes)))
            .Where(match => match.Person is not null)
            .DistinctBy(match => match.Person)
            .Take(maxPersons)
            .Select(match => new V1.PersonMatch
            {
                Person = match.Person,
                Similarity = match.Point.Score,
                PointId = match.Point.Point.Id,
                SamePerson = match.Point.Score >= threshold,
            }),
    ];
}
