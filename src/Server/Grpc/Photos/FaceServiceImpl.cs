using Embeddings.Core.Faces;
using Embeddings.Core.Imaging;
using Embeddings.Primitives.Numerics;
using Embeddings.Server.Grpc.Mapping;
using Embeddings.Storage;
using Google.Protobuf;
using Grpc.Core;

namespace Embeddings.Server.Grpc.Photos;

/// <summary>Finds, embeds, compares and identifies the faces of photos.</summary>
internal sealed class FaceServiceImpl(
    FaceFinder finder, FaceEmbedder photos, PersonSearch persons, ResponseBudget budget)
    : V1.FaceService.FaceServiceBase
{
    // Bytes of a pair in a response.
    private const int PairBytes = 16;

    public override async Task<V1.DetectFacesResponse> DetectFaces(V1.DetectFacesRequest request, ServerCallContext context)
    {
        var photo = Read(request.Photo, "photo", request.Options, "");
        const int Side = FaceAligner.TemplateSide;
        var found = await finder.FindAsync(
            photo.Photo, photo.Search, (Side, Side), photo.Wait, photo.Path, context.CancellationToken);
        var response = new V1.DetectFacesResponse
        {
            LeftOut = { found.LeftOut.Select(FaceMapping.ToContract) },
            Photo = FaceMapping.ToContract(found),
            Timings = FaceMapping.ToTimings(found),
        };
        for (var i = 0; i < found.Faces.Count; i++)
        {
            var face = new V1.DetectedFace { Face = FaceMapping.ToContract(found.Faces[i], i) };
            if (request.ReturnCrops)
            {
                face.CropPng = Png(found.Faces[i], Side, Side);
            }
            response.Faces.Add(face);
        }
        return Held(response, context);
    }

    public override async Task<V1.EmbedFacesResponse> EmbedFaces(V1.EmbedFacesRequest request, ServerCallContext context)
    {
        var photo = Read(request.Photo, "photo", request.Options, request.Model);
        var embedded = await photos.EmbedAsync(photo, context.CancellationToken);
        var input = embedded.Model.Manifest.Input;
        var response = new V1.EmbedFacesResponse
        {
            LeftOut = { embedded.Photo.LeftOut.Select(FaceMapping.ToContract) },
            Photo = FaceMapping.ToContract(embedded.Photo),
            Timings = FaceMapping.ToTimings(embedded.Photo, embedded.Embeddings),
        };
        for (var i = 0; i < embedded.Embeddings.Count; i++)
        {
            var found = embedded.Photo.Faces[i];
            var face = new V1.EmbeddedFace
            {
                Face = FaceMapping.ToContract(found, i),
                Embedding = EmbeddingMapping.ToEmbedding(embedded.Embeddings[i]),
            };
            if (request.ReturnCrops)
            {
                face.CropPng = Png(found, input.Width, input.Height);
            }
            response.Faces.Add(face);
        }
        return Held(response, context);
    }

    public override async Task<V1.CompareFacesResponse> CompareFaces(V1.CompareFacesRequest request, ServerCallContext context)
    {
        var first = Read(request.First, "first", request.Options, request.Model);
        var second = Read(request.Second, "second", request.Options, request.Model);
        float? wanted = request.HasThreshold ? Require.InRange(request.Threshold, "threshold", -1, 1) : null;
        var both = await Task.WhenAll(
            photos.EmbedAsync(first, context.CancellationToken), photos.EmbedAsync(second, context.CancellationToken));
        var (a, b) = (both[0], both[1]);
        budget.Lease(context).Require((long)a.Embeddings.Count * b.Embeddings.Count, PairBytes);
        var threshold = wanted ?? a.Model.Manifest.SuggestedThreshold;
        var pairs =
            from i in Enumerable.Range(0, a.Embeddings.Count)
            from j in Enumerable.Range(0, b.Embeddings.Count)
            let similarity = Score.Of(VectorMath.PreciseCosine(a.Embeddings[i].Vector, b.Embeddings[j].Vector))
            orderby similarity descending, i, j
            select ToPair(i, j, similarity, threshold);
        var response = new V1.CompareFacesResponse
        {
            FirstFaces = { a.Photo.Faces.Select(FaceMapping.ToContract) },
            SecondFaces = { b.Photo.Faces.Select(FaceMapping.ToContract) },
            Pairs = { pairs },
            Model = a.Model.Name,
            FirstPhoto = FaceMapping.ToContract(a.Photo),
            SecondPhoto = FaceMapping.ToContract(b.Photo),
            Timings = Sum(FaceMapping.ToTimings(a.Photo, a.Embeddings), FaceMapping.ToTimings(b.Photo, b.Embeddings)),
        };
        if (threshold is { } limit)
        {
            response.Threshold = limit;
        }
        return Held(response, context);
    }

    public override async Task<V1.IdentifyFacesResponse> IdentifyFaces(V1.IdentifyFacesRequest request, ServerCallContext context)
    {
        var photo = Read(request.Photo, "photo", request.Options, request.Model);
        var query = PersonQuery.Read(request);
        var embedded = await photos.EmbedAsync(photo, context.CancellationToken);
        var lease = budget.Lease(context);
        var (found, threshold, took) = await persons.SearchAsync(query, embedded, lease, context.CancellationToken);
        var response = new V1.IdentifyFacesResponse
        {
            LeftOut = { embedded.Photo.LeftOut.Select(FaceMapping.ToContract) },
            Photo = FaceMapping.ToContract(embedded.Photo),
            Threshold = threshold,
            Timings = FaceMapping.ToTimings(embedded.Photo, embedded.Embeddings, took),
        };
        for (var i = 0; i < embedded.Embeddings.Count; i++)
        {
            response.Faces.Add(new V1.IdentifiedFace
            {
                Face = FaceMapping.ToContract(embedded.Photo.Faces[i], i),
                Persons = { found[i] },
                Person = found[i] is [{ SamePerson: true } best, ..] ? best.Person : "",
            });
        }
        return Held(response, context);
    }

    private static PhotoRequest Read(V1.Image? photo, string path, V1.FaceOptions? options, string model) =>
        new(FaceMapping.ToPhoto(photo, path), FaceMapping.ToSearch(options), model, Wait: false, path);

    private static ByteString Png(FoundFace face, int width, int height) =>
        UnsafeByteOperations.UnsafeWrap(PngFile.Encode(face.Crop.Span, width, height));

    private static V1.FacePair ToPair(int first, int second, float similarity, float? threshold)
    {
        var pair = new V1.FacePair { FirstIndex = first, SecondIndex = second, Similarity = similarity };
        if (threshold is { } limit)
        {
            pair.SamePerson = similarity >= limit;
        }
        return pair;
    }

    private static V1.Timings Sum(V1.Timings a, V1.Timings b) => new()
    {
        QueueUs = a.QueueUs + b.QueueUs,
        PreprocessUs = a.PreprocessUs + b.PreprocessUs,
        InferenceUs = a.InferenceUs + b.InferenceUs,
        BatchSize = Math.Max(a.BatchSize, b.BatchSize),
    };

    // Crops and vectors of many faces make responses of megabytes.
    private T Held<T>(T response, ServerCallContext context)
        where T : IMessage
    {
        var lease = budget.Lease(context);
        var bytes = response.CalculateSize();
        lease.Require(1, bytes);
        lease.Hold(bytes);
        return response;
    }
}
