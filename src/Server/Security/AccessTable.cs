using System.Collections.Frozen;
using Embeddings.Server.Grpc;
using Google.Protobuf;
using Grpc.Health.V1;

namespace Embeddings.Server.Security;

/// <summary>Rights that a method needs.</summary>
/// <param name="Method">The method as in the path of its calls: <c>/package.Service/Method</c>.</param>
/// <param name="Access">The access that every call needs.</param>
/// <param name="Scope">The collections that the caller must cover, for the documentation.</param>
internal abstract record AccessRow(string Method, Access Access, string Scope)
{
    /// <summary>True if requests have collections.</summary>
    public abstract bool HasCollections { get; }

    /// <summary>The access that a request needs, if that depends on it.</summary>
    public abstract Access AccessOf(object request);

    /// <summary>Names of the collections that a request reads or changes; empty names are missing fields, which are no collections.</summary>
    public abstract IEnumerable<string> CollectionsOf(object request);

    /// <summary>Fault unless the caller may make the request.</summary>
    public void Require(Caller caller, object request)
    {
        var needed = AccessOf(request);
        if (caller.Access < needed)
        {
            throw AccessFaults.AccessDenied(needed, caller);
        }
        if (HasCollections && !caller.CoversAll)
        {
            foreach (var collection in CollectionsOf(request))
            {
                if (collection.Length > 0 && !caller.Covers(collection))
                {
                    throw AccessFaults.CollectionDenied(collection, caller);
                }
            }
        }
    }
}

/// <summary>Rights that a method with requests of a type needs.</summary>
/// <param name="Method">The method.</param>
/// <param name="Access">The access that every call needs.</param>
/// <param name="Scope">The collections that the caller must cover, for the documentation.</param>
/// <param name="Names">Returns the collections of a request; null if requests have none.</param>
/// <param name="Rise">Returns the access that a request needs; null if it is always <paramref name="Access"/>.</param>
internal sealed record AccessRow<T>(
    string Method, Access Access, string Scope, Func<T, IEnumerable<string>>? Names = null, Func<T, Access>? Rise = null)
    : AccessRow(Method, Access, Scope)
    where T : class
{
    public override bool HasCollections => Names is not null;

    public override Access AccessOf(object request) => Rise is null ? Access : Rise((T)request);

    public override IEnumerable<string> CollectionsOf(object request) => Names is null ? [] : Names((T)request);
}

/// <summary>
/// The rights that each method of each service needs: the only place that decides it. Requests have the names of default collections
/// by then (<see cref="DefaultCollections"/>). The server does not start if a method
/// has no row; docs/security.md shows the table.
/// </summary>
internal static class AccessTable
{
    public const string NoCollection = "none";
    public const string ListedCollections = "those of the caller";
    private const string Named = "`collection`";
    private const string NamedOrFaces = "`collection`, or the default for faces";
    private const string NamedOrImages = "`collection`, or the default for images";

    /// <summary>All rows, by the services of the contract.</summary>
    public static IReadOnlyList<AccessRow> Rows { get; } =
    [
        .. new Service(V1.EmbeddingService.Descriptor)
            .Add<V1.EmbedImageRequest>("EmbedImage", Access.Read)
            .Add<V1.EmbedFaceRequest>("EmbedFace", Access.Read)
            .Add<V1.StreamEmbedRequest>("StreamEmbed", Access.Read)
            .Rows,
        .. new Service(V1.IngestService.Descriptor)
            .Add<V1.IngestImageRequest>(
                "IngestImage", Access.Write, NamedOrImages, request => [request.Collection])
            .Add<V1.IngestFaceRequest>("IngestFace", Access.Write, NamedOrFaces, request => [request.Collection])
            .Add<V1.IngestPhotoRequest>(
                "IngestPhoto",
                Access.Write,
                $"{NamedOrFaces}; with `with_image`, also `image_collection`, or the default for images",
                request => PhotoCollections(request.Collection, request.Item))
            .Add<V1.StreamIngestRequest>("StreamIngest", Access.Write, "each item: those of the unary methods", IngestCollections)
            .Rows,
        .. new Service(V1.FaceService.Descriptor)
            .Add<V1.DetectFacesRequest>("DetectFaces", Access.Read)
            .Add<V1.EmbedFacesRequest>("EmbedFaces", Access.Read)
            .Add<V1.CompareFacesRequest>("CompareFaces", Access.Read)
            .Add<V1.IdentifyFacesRequest>(
                "IdentifyFaces", Access.Read, NamedOrFaces, request => [request.Collection])
            .Rows,
        .. new Service(V1.PersonService.Descriptor)
            .Add<V1.ClusterFacesRequest>(
                "ClusterFaces",
                Access.Read,
                $"{NamedOrFaces}; with `apply`, the call needs write",
                request => [request.Collection],
                // Stores the names.
                request => request.Apply ? Access.Write : Access.Read)
            .Add<V1.ListPersonsRequest>("ListPersons", Access.Read, NamedOrFaces, request => [request.Collection])
            .Add<V1.NamePersonRequest>("NamePerson", Access.Write, NamedOrFaces, request => [request.Collection])
            .Add<V1.MergePersonsRequest>(
                "MergePersons", Access.Write, NamedOrFaces, request => [request.Collection])
            .Add<V1.SplitPersonRequest>("SplitPerson", Access.Write, NamedOrFaces, request => [request.Collection])
            .Add<V1.UndoPersonChangeRequest>(
                "UndoPersonChange", Access.Write, NamedOrFaces, request => [request.Collection])
            .Rows,
        .. new Service(V1.VectorStoreService.Descriptor)
            .Add<V1.UpsertVectorsRequest>("UpsertVectors", Access.Write, Named, request => [request.Collection])
            .Add<V1.StreamUpsertVectorsRequest>(
                "StreamUpsertVectors", Access.Write, "each item: `collection`", request => [request.Collection])
            .Add<V1.GetVectorRequest>("GetVector", Access.Read, Named, request => [request.Collection])
            .Add<V1.GetVectorsRequest>("GetVectors", Access.Read, Named, request => [request.Collection])
            .Add<V1.SetAttributesRequest>("SetAttributes", Access.Write, Named, request => [request.Collection])
            .Add<V1.DeleteVectorsRequest>("DeleteVectors", Access.Write, Named, request => [request.Collection])
            .Add<V1.CountVectorsRequest>("CountVectors", Access.Read, Named, request => [request.Collection])
            .Add<V1.ListVectorsRequest>("ListVectors", Access.Read, Named, request => [request.Collection])
            .Add<V1.CreateCollectionRequest>("CreateCollection", Access.Manage, Named, request => [request.Collection])
            .Add<V1.GetCollectionRequest>("GetCollection", Access.Read, Named, request => [request.Collection])
            .Add<V1.UpdateCollectionRequest>("UpdateCollection", Access.Manage, Named, request => [request.Collection])
            .Add<V1.UpdateAliasesRequest>(
                "UpdateAliases",
                Access.Manage,
                "all aliases and collections that it names",
                request => [.. request.Set.SelectMany(static alias => (string[])[alias.Alias_, alias.Collection]), .. request.Delete])
            // Leaves out the others.
            .Add<V1.ListAliasesRequest>("ListAliases", Access.Read, "aliases and collections of the caller")
            // Leaves out the others.
            .Add<V1.ListCollectionsRequest>("ListCollections", Access.Read, ListedCollections)
            .Add<V1.DeleteCollectionRequest>("DeleteCollection", Access.Manage, Named, request => [request.Collection])
            .Add<V1.SearchVectorsRequest>("SearchVectors", Access.Read, Named, request => [request.Collection])
            .Add<V1.SearchByMediaStoreIdRequest>(
                "SearchByMediaStoreId", Access.Read, NamedOrFaces, request => [request.Collection])
            // Without a collection, leaves out the others.
            .Add<V1.DeleteByJobIdRequest>(
                "DeleteByJobId", Access.Write, $"{Named}, or {ListedCollections}", request => [request.Collection])
            .Add<V1.SetLegalHoldRequest>(
                "SetLegalHold", Access.Manage, $"{Named}, or {ListedCollections}", request => [request.Collection])
            .Rows,
        .. new Service(V1.ModelService.Descriptor)
            .Add<V1.ListModelsRequest>("ListModels", Access.Read)
            .Add<V1.GetModelRequest>("GetModel", Access.Read)
            .Add<V1.LoadModelRequest>("LoadModel", Access.Manage)
            .Add<V1.UnloadModelRequest>("UnloadModel", Access.Manage)
            .Rows,
        .. new Service(Health.Descriptor)
            .Add<HealthCheckRequest>("Check", Access.None)
            .Add<HealthCheckRequest>("Watch", Access.None)
            .Rows,
        .. new Service(global::Grpc.Reflection.V1.ServerReflection.Descriptor)
            .Add<global::Grpc.Reflection.V1.ServerReflectionRequest>("ServerReflectionInfo", Access.Read)
            .Rows,
        .. new Service(global::Grpc.Reflection.V1Alpha.ServerReflection.Descriptor)
            .Add<global::Grpc.Reflection.V1Alpha.ServerReflectionRequest>("ServerReflectionInfo", Access.Read)
            .Rows,
    ];

    private static readonly FrozenDictionary<string, AccessRow> ByMethod =
        Rows.ToFrozenDictionary(row => row.Method, StringComparer.Ordinal);

    /// <summary>Returns the row of a method by the path of its calls, or null.</summary>
    public static AccessRow? Find(string? method) => method is null ? null : ByMethod.GetValueOrDefault(method);

    /// <summary>Checks that each of the methods has a row.</summary>
    /// <exception cref="InvalidOperationException">A method has none.</exception>
    public static void RequireRows(IEnumerable<string> methods)
    {
        if (methods.FirstOrDefault(method => Find(method) is null) is { } missing)
        {
            throw new InvalidOperationException(
                $"{missing} has no row in AccessTable, which states the access that each method needs. Add a row.");
        }
    }

    private static IEnumerable<string> PhotoCollections(string collection, V1.PhotoItem? photo)
    {
        yield return collection;
        if (photo is { WithImage: true })
        {
            yield return photo.ImageCollection;
        }
    }

    private static IEnumerable<string> IngestCollections(V1.StreamIngestRequest request) => request.ItemCase switch
    {
        V1.StreamIngestRequest.ItemOneofCase.Photo => PhotoCollections(request.Collection, request.Photo),
        _ => [request.Collection],
    };

    /// <summary>Builds the rows of a service; the types of the requests are those of its descriptor.</summary>
    private sealed class Service(global::Google.Protobuf.Reflection.ServiceDescriptor service)
    {
        private readonly List<AccessRow> _rows = [];

        public IReadOnlyList<AccessRow> Rows => _rows;

        public Service Add<T>(
            string method,
            Access access,
            string scope = NoCollection,
            Func<T, IEnumerable<string>>? names = null,
            Func<T, Access>? rise = null)
            where T : class, IMessage
        {
            var descriptor = service.FindMethodByName(method)
                ?? throw new InvalidOperationException($"{service.FullName} has no method {method}.");
            if (descriptor.InputType.ClrType != typeof(T))
            {
                throw new InvalidOperationException($"{descriptor.FullName} does not take a {typeof(T).Name}.");
            }
            _rows.Add(new AccessRow<T>($"/{service.FullName}/{method}", access, scope, names, rise));
            return this;
        }
    }
}
