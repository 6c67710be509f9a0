#pragma warning disable RS0016, RS0026, RS0037
using Embeddings.V1;

namespace Embeddings.Client;

/// <content>FaceService and PersonService.</content>
public partial class EmbeddingsClient
{
    public virtual Task<DetectFacesResponse> DetectFacesAsync(DetectFacesRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(new FaceService.FaceServiceClient(_calls).DetectFacesAsync, request, repeatable: true, cancellationToken);

    public virtual Task<CompareFacesResponse> CompareFacesAsync(CompareFacesRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(new FaceService.FaceServiceClient(_calls).CompareFacesAsync, request, repeatable: true, cancellationToken);

    public virtual Task<IdentifyFacesResponse> IdentifyFacesAsync(IdentifyFacesRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(new FaceService.FaceServiceClient(_calls).IdentifyFacesAsync, request, repeatable: true, cancellationToken);

    public virtual Task<ListPersonsResponse> ListPersonsAsync(ListPersonsRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(new PersonService.PersonServiceClient(_calls).ListPersonsAsync, request, repeatable: true, cancellationToken);

    public virtual Task<NamePersonResponse> NamePersonAsync(NamePersonRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(new PersonService.PersonServiceClient(_calls).NamePersonAsync, request, repeatable: false, cancellationToken);

    public virtual Task<MergePersonsResponse> MergePersonsAsync(MergePersonsRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(new PersonService.PersonServiceClient(_calls).MergePersonsAsync, request, repeatable: false, cancellationToken);

    public virtual Task<SplitPersonResponse> SplitPersonAsync(SplitPersonRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(new PersonService.PersonServiceClient(_calls).SplitPersonAsync, request, repeatable: false, cancellationToken);

    public virtual Task<UndoPersonChangeResponse> UndoPersonChangeAsync(UndoPersonChangeRequest request, CancellationToken cancellationToken = default) =>
        _unary.CallAsync(new PersonService.PersonServiceClient(_calls).UndoPersonChangeAsync, request, repeatable: false, cancellationToken);

    public virtual async IAsyncEnumerable<ClusterFacesResponse> ClusterFacesAsync(
        ClusterFacesRequest request, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        using var call = new PersonService.PersonServiceClient(_calls).ClusterFaces(request, cancellationToken: cancellationToken);
        while (await call.ResponseStream.MoveNext(cancellationToken).ConfigureAwait(false))
        {
            yield return call.ResponseStream.Current;
        }
    }
}
