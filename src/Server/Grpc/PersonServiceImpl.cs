using Embeddings.Server.Grpc.Persons;
using Grpc.Core;

namespace Embeddings.Server.Grpc;

/// <summary>Names the persons of faces, and groups faces by persons.</summary>
internal sealed class PersonServiceImpl(PersonHandler persons, ClusterHandler clusters) : V1.PersonService.PersonServiceBase
{
    public override Task<V1.ListPersonsResponse> ListPersons(V1.ListPersonsRequest request, ServerCallContext context) =>
        persons.ListAsync(request, context);

    public override Task<V1.NamePersonResponse> NamePerson(V1.NamePersonRequest request, ServerCallContext context) =>
        persons.NameAsync(request, context);

    public override Task<V1.MergePersonsResponse> MergePersons(V1.MergePersonsRequest request, ServerCallContext context) =>
        persons.MergeAsync(request, context);

    public override Task<V1.SplitPersonResponse> SplitPerson(V1.SplitPersonRequest request, ServerCallContext context) =>
        persons.SplitAsync(request, context);

    public override Task<V1.UndoPersonChangeResponse> UndoPersonChange(
        V1.UndoPersonChangeRequest request, ServerCallContext context) =>
        persons.UndoAsync(request, context);

    public override Task ClusterFaces(
        V1.ClusterFacesRequest request, IServerStreamWriter<V1.ClusterFacesResponse> responseStream, ServerCallContext context) =>
        clusters.ClusterAsync(request, responseStream, context);
}
