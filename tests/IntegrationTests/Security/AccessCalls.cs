using System.Globalization;
using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.V1;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Grpc.Core;
using Grpc.Health.V1;
using Alpha = Grpc.Reflection.V1Alpha;
using One = Grpc.Reflection.V1;

namespace Embeddings.IntegrationTests.Security;

/// <summary>A call of a method with a minimal valid request, and what it needs; written without a look at the server's table.</summary>
/// <param name="Method">Service and method.</param>
/// <param name="Needs">none, read, write, or manage.</param>
/// <param name="InCollection">True if it reads or changes the collection of this test.</param>
/// <param name="Request">The request.</param>
internal sealed record AccessCall(string Method, string Needs, bool InCollection, IMessage Request)
{
    public override string ToString() => Method;
}

/// <summary>All methods, and calls of any method by its descriptor.</summary>
internal static class AccessCalls
{
    public const string Mine = "mine-1";
    public const string MyFaces = "mine-faces";
    public const string Dropped = "mine-dropped";
    public const string Created = "mine-created";

    private static readonly Image Photo = TestImages.Photo(1);

    public static IReadOnlyList<AccessCall> All { get; } =
    [
        new("embeddings.v1.EmbeddingService/EmbedImage", "read", false, new EmbedImageRequest { Image = Photo }),
        new("embeddings.v1.EmbeddingService/EmbedFace", "read", false, new EmbedFaceRequest { Face = TestImages.Crop(1) }),
        new("embeddings.v1.EmbeddingService/StreamEmbed", "read", false, new StreamEmbedRequest { ItemId = "i", Image = Photo }),
        new("embeddings.v1.IngestService/IngestImage", "write", true, new IngestImageRequest
        {
            Collection = Mine, Item = new() { JobId = "j", MediaStoreId = "m", Image = Photo },
        }),
        new("embeddings.v1.IngestService/IngestFace", "write", true, new IngestFaceRequest
        {
            Collection = MyFaces, Item = new() { JobId = "j", MediaStoreId = "m", Face = TestImages.Crop(1) },
        }),
        new("embeddings.v1.IngestService/IngestPhoto", "write", true, new IngestPhotoRequest
        {
            Collection = MyFaces, Item = new() { JobId = "j", MediaStoreId = "m", Photo = Photo },
        }),
        new("embeddings.v1.IngestService/StreamIngest", "write", true, new StreamIngestRequest
        {
            ItemId = "i", Collection = Mine, Image = new() { JobId = "j", MediaStoreId = "m", Image = Photo },
        }),
        new("embeddings.v1.FaceService/DetectFaces", "read", false, new DetectFacesRequest { Photo = Photo }),
        new("embeddings.v1.FaceService/EmbedFaces", "read", false, new EmbedFacesRequest { Photo = Photo }),
        new("embeddings.v1.FaceService/CompareFaces", "read", false, new CompareFacesRequest { First = Photo, Second = Photo }),
        new("embeddings.v1.FaceService/IdentifyFaces", "read", true, new IdentifyFacesRequest { Photo = Photo, Collection = MyFaces, Threshold = 0.5f }),
        new("embeddings.v1.PersonService/ListPersons", "read", true, new ListPersonsRequest { Collection = Mine }),
        new("embeddings.v1.PersonService/NamePerson", "write", true, new NamePersonRequest { Collection = Mine, PointIds = { "p" }, Person = "P" }),
        new("embeddings.v1.PersonService/MergePersons", "write", true, new MergePersonsRequest { Collection = Mine, Persons = { "Q" }, Into = "Q" }),
        new("embeddings.v1.PersonService/SplitPerson", "write", true, new SplitPersonRequest
        {
            Collection = Mine, Person = "Q", PointIds = { "q" }, NewPerson = "R",
        }),
        new("embeddings.v1.PersonService/UndoPersonChange", "write", true, new UndoPersonChangeRequest { Collection = Mine, ChangeId = "c" }),
        new("embeddings.v1.PersonService/ClusterFaces", "read", true, new ClusterFacesRequest { Collection = Mine, Threshold = 0.5f }),
        new("embeddings.v1.PersonService/ClusterFaces", "write", true, new ClusterFacesRequest { Collection = Mine, Threshold = 0.5f, Apply = true }),
        new("embeddings.v1.VectorStoreService/UpsertVectors", "write", true, new UpsertVectorsRequest
        {
            Collection = Mine, Points = { Items.Point("p", Items.Vector(1)) },
        }),
        new("embeddings.v1.VectorStoreService/StreamUpsertVectors", "write", true, Items.Upsert(Mine, "p", Items.Vector(1))),
        new("embeddings.v1.VectorStoreService/GetVector", "read", true, new GetVectorRequest { Collection = Mine, PointId = "p" }),
        new("embeddings.v1.VectorStoreService/GetVectors", "read", true, new GetVectorsRequest { Collection = Mine, PointIds = { "p" } }),
        new("embeddings.v1.VectorStoreService/SetAttributes", "write", true, new SetAttributesRequest
        {
            Collection = Mine, PointIds = { "p" }, RemoveKeys = { "none" },
        }),
        new("embeddings.v1.VectorStoreService/CreateCollection", "manage", true, new CreateCollectionRequest { Collection = Created, Dimension = 2 }),
        new("embeddings.v1.VectorStoreService/GetCollection", "read", true, new GetCollectionRequest { Collection = Mine }),
        new("embeddings.v1.VectorStoreService/UpdateCollection", "manage", true, new UpdateCollectionRequest
        {
            Collection = Mine, Retention = new() { Seconds = 100_000 },
        }),
        new("embeddings.v1.VectorStoreService/UpdateAliases", "manage", true, new UpdateAliasesRequest
        {
            Set = { new Alias { Alias_ = "mine-alias", Collection = Mine } },
        }),
        new("embeddings.v1.VectorStoreService/ListAliases", "read", false, new ListAliasesRequest()),
        new("embeddings.v1.VectorStoreService/DeleteVectors", "write", true, new DeleteVectorsRequest { Collection = Mine, PointIds = { "none" } }),
        new("embeddings.v1.VectorStoreService/CountVectors", "read", true, new CountVectorsRequest { Collection = Mine }),
        new("embeddings.v1.VectorStoreService/ListVectors", "read", true, new ListVectorsRequest { Collection = Mine }),
        new("embeddings.v1.VectorStoreService/ListCollections", "read", false, new ListCollectionsRequest()),
        new("embeddings.v1.VectorStoreService/DeleteCollection", "manage", true, new DeleteCollectionRequest { Collection = Dropped }),
        new("embeddings.v1.VectorStoreService/SearchVectors", "read", true, new SearchVectorsRequest
        {
            Collection = Mine, Queries = { new SearchQuery { PointId = "p" } },
        }),
        new("embeddings.v1.VectorStoreService/SearchByMediaStoreId", "read", true, new SearchByMediaStoreIdRequest
        {
            Collection = Mine, MediaStoreId = "m", Query = new() { PointId = "p" },
        }),
        new("embeddings.v1.VectorStoreService/DeleteByJobId", "write", true, new DeleteByJobIdRequest { Collection = Mine, JobId = "none" }),
        new("embeddings.v1.VectorStoreService/DeleteByJobId", "write", false, new DeleteByJobIdRequest { JobId = "none" }),
        new("embeddings.v1.VectorStoreService/SetLegalHold", "manage", true, new SetLegalHoldRequest { Collection = Mine, Hold = true, Filter = new() { JobId = "none" } }),
        new("embeddings.v1.VectorStoreService/SetLegalHold", "manage", false, new SetLegalHoldRequest { Hold = true, Filter = new() { JobId = "none" } }),
        new("embeddings.v1.ModelService/ListModels", "read", false, new ListModelsRequest()),
        new("embeddings.v1.ModelService/GetModel", "read", false, new GetModelRequest { Name = Items.FaceModel }),
        new("embeddings.v1.ModelService/LoadModel", "manage", false, new LoadModelRequest { Name = Items.FaceModel }),
        new("embeddings.v1.ModelService/UnloadModel", "manage", false, new UnloadModelRequest { Name = "none" }),
        new("grpc.health.v1.Health/Check", "none", false, new HealthCheckRequest()),
        new("grpc.health.v1.Health/Watch", "none", false, new HealthCheckRequest()),
        new("grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "read", false, new One.ServerReflectionRequest { ListServices = "" }),
        new("grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", "read", false, new Alpha.ServerReflectionRequest { ListServices = "" }),
    ];

    /// <summary>The methods that the server has, by its descriptors.</summary>
    public static IReadOnlyDictionary<string, MethodDescriptor> Methods { get; } = new[]
        {
            EmbeddingService.Descriptor.File, IngestService.Descriptor.File, FaceService.Descriptor.File, PersonService.Descriptor.File,
            VectorStoreService.Descriptor.File, ModelService.Descriptor.File, Health.Descriptor.File, One.ServerReflection.Descriptor.File,
            Alpha.ServerReflection.Descriptor.File,
        }
        .SelectMany(file => file.Services)
        .SelectMany(service => service.Methods)
        .ToDictionary(method => $"{method.Service.FullName}/{method.Name}");

    /// <summary>Makes a call and returns its outcome: OK, or the status and reason of the call or of its item.</summary>
    /// <param name="invoker">Where to call.</param>
    /// <param name="call">The call.</param>
    /// <param name="headers">Credentials.</param>
    /// <param name="seen">Receives all texts of the error.</param>
    public static async Task<string> OutcomeAsync(this CallInvoker invoker, AccessCall call, Metadata headers, Action<string>? seen = null)
    {
        var descriptor = Methods[call.Method];
        var type = (descriptor.IsClientStreaming, descriptor.IsServerStreaming) switch
        {
            (false, false) => MethodType.Unary,
            (false, true) => MethodType.ServerStreaming,
            (true, false) => MethodType.ClientStreaming,
            _ => MethodType.DuplexStreaming,
        };
        var bytes = Marshallers.Create(static (byte[] value) => value, static value => value);
        var method = new Method<byte[], byte[]>(type, descriptor.Service.FullName, descriptor.Name, bytes, bytes);
        var options = new CallOptions(headers);
        try
        {
            switch (type)
            {
                case MethodType.Unary:
                    using (var unary = invoker.AsyncUnaryCall(method, null, options, call.Request.ToByteArray()))
                    {
                        await unary.ResponseAsync.Bound();
                        return "OK";
                    }
                case MethodType.ServerStreaming:
                    using (var stream = invoker.AsyncServerStreamingCall(method, null, options, call.Request.ToByteArray()))
                    {
                        // Not to the end: health is watched forever.
                        Assert.True(await stream.ResponseStream.MoveNext(CancellationToken.None).Bound());
                        return "OK";
                    }
                default:
                    using (var duplex = invoker.AsyncDuplexStreamingCall(method, null, options))
                    {
                        try
                        {
                            await duplex.RequestStream.WriteAsync(call.Request.ToByteArray()).Bound();
                            await duplex.RequestStream.CompleteAsync().Bound();
                        }
                        // The status says why.
                        catch (Exception e) when (e is RpcException or InvalidOperationException)
                        {
                        }
                        var answers = await duplex.ResponseStream.DrainAsync();
                        var error = answers.Select(answer => ErrorOf(descriptor.OutputType, answer)).FirstOrDefault(error => error is not null);
                        seen?.Invoke($"{error}");
                        return error is null ? "OK" : $"item {(StatusCode)error.Code} {error.Reason}";
                    }
            }
        }
        catch (RpcException e)
        {
            // Without the time of the answer, which is not part of it.
            seen?.Invoke($"{e} {string.Join(' ', e.Trailers.Where(entry => entry.Key != "date").Select(Text))}");
            return string.Create(CultureInfo.InvariantCulture, $"{e.StatusCode} {e.Reason()}");
        }
    }

    private static string Text(Metadata.Entry entry) =>
        $"{entry.Key}={(entry.IsBinary ? System.Text.Encoding.Latin1.GetString(entry.ValueBytes) : entry.Value)}";

    private static ItemError? ErrorOf(MessageDescriptor type, byte[] message) =>
        type.FindFieldByName("error") is { } field && field.MessageType == ItemError.Descriptor
            ? (ItemError?)field.Accessor.GetValue(type.Parser.ParseFrom(message))
            : null;
}
