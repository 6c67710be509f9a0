using System.Collections.Concurrent;
using System.Net;
using Embeddings.V1;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Embeddings.Cli.Tests.Photos;

/// <summary>A server on the loopback address with the answers of a test, and the command that calls it.</summary>
internal sealed class FacesDouble : IAsyncDisposable
{
    private readonly WebApplication _app;

    private FacesDouble(WebApplication app) => _app = app;

    /// <summary>Answer to every call whose response has this type; an <see cref="RpcException"/> makes it fail.</summary>
    public ConcurrentDictionary<Type, Func<object, object>> Answers { get; } = new();

    /// <summary>Requests of all calls, in their order.</summary>
    public ConcurrentQueue<object> Requests { get; } = new();

    public static async Task<FacesDouble> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
            kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2));
        builder.Services.AddGrpc();
        FacesDouble? made = null;
        builder.Services.AddSingleton(_ => made!);
        var app = builder.Build();
        app.MapGrpcService<FaceDouble>();
        app.MapGrpcService<PersonDouble>();
        app.MapGrpcService<PhotoDouble>();
        app.MapGrpcService<ModelDouble>();
        app.MapGrpcService<StoreDouble>();
        made = new FacesDouble(app);
        made.Answer<ListModelsResponse>(_ => new()
        {
            Models =
            {
                new Model { Name = "face", Kind = ModelKind.Face, DefaultForKind = true, Dimension = 4 },
                new Model { Name = "detector", Kind = ModelKind.Detector, DefaultForKind = true },
            },
        });
        await app.StartAsync();
        return made;
    }

    public void Answer<T>(Func<object, T> answer)
        where T : class => Answers[typeof(T)] = answer;

    /// <summary>Returns the last request of a type.</summary>
    public T Last<T>() => Requests.OfType<T>().Last();

    public Task<CommandResult> RunAsync(params string[] args) =>
        CommandResult.RunAsync([.. args, "--address", new Uri(_app.Urls.Single()).Authority]);

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    /// <summary>A face with values that are easy to recognize.</summary>
    public static Face Face(int index, float size = 80) => new()
    {
        FaceIndex = index,
        Bbox = new() { X = 10 + (100 * index), Y = 20, Width = size, Height = size + 10 },
        Confidence = 0.875f,
        Landmarks = TestImages.Landmarks(0.7f, 10 + (100 * index), 25),
        Quality = new() { Overall = 0.5f, Size = 1, Sharpness = 0.25f, Brightness = 1, Contrast = 0.5f, Pose = 0.75f, Confidence = 0.875f },
        Pose = new() { Yaw = 10.4f, Pitch = -0.2f, Roll = -5 },
    };

    public static LeftOutFace LeftOut(LeftOutReason reason = LeftOutReason.TooSmall) => new()
    {
        Bbox = new() { X = 200, Y = 100, Width = 20, Height = 25 },
        Confidence = 0.75f,
        Reason = reason,
        Message = "the shorter side must have at least 40 pixels; got 20",
    };

    private T Respond<T>(object request)
    {
        Requests.Enqueue(request);
        return Answers.TryGetValue(typeof(T), out var answer)
            ? (T)answer(request)
            : throw new RpcException(new Status(StatusCode.Unimplemented, typeof(T).Name));
    }

    private sealed class FaceDouble(FacesDouble faces) : FaceService.FaceServiceBase
    {
        public override Task<DetectFacesResponse> DetectFaces(DetectFacesRequest request, ServerCallContext context) =>
            Task.FromResult(faces.Respond<DetectFacesResponse>(request));

        public override Task<CompareFacesResponse> CompareFaces(CompareFacesRequest request, ServerCallContext context) =>
            Task.FromResult(faces.Respond<CompareFacesResponse>(request));

        public override Task<IdentifyFacesResponse> IdentifyFaces(IdentifyFacesRequest request, ServerCallContext context) =>
            Task.FromResult(faces.Respond<IdentifyFacesResponse>(request));
    }

    private sealed class PersonDouble(FacesDouble faces) : PersonService.PersonServiceBase
    {
        public override Task<ListPersonsResponse> ListPersons(ListPersonsRequest request, ServerCallContext context) =>
            Task.FromResult(faces.Respond<ListPersonsResponse>(request));

        public override Task<NamePersonResponse> NamePerson(NamePersonRequest request, ServerCallContext context) =>
            Task.FromResult(faces.Respond<NamePersonResponse>(request));

        public override Task<MergePersonsResponse> MergePersons(MergePersonsRequest request, ServerCallContext context) =>
            Task.FromResult(faces.Respond<MergePersonsResponse>(request));

        public override Task<SplitPersonResponse> SplitPerson(SplitPersonRequest request, ServerCallContext context) =>
            Task.FromResult(faces.Respond<SplitPersonResponse>(request));

        public override Task<UndoPersonChangeResponse> UndoPersonChange(UndoPersonChangeRequest request, ServerCallContext context) =>
            Task.FromResult(faces.Respond<UndoPersonChangeResponse>(request));

        public override async Task ClusterFaces(
            ClusterFacesRequest request, IServerStreamWriter<ClusterFacesResponse> responseStream, ServerCallContext context)
        {
            foreach (var message in faces.Respond<ClusterFacesResponse[]>(request))
            {
                await responseStream.WriteAsync(message);
            }
        }
    }

    private sealed class PhotoDouble(FacesDouble faces) : IngestService.IngestServiceBase
    {
        public override async Task StreamIngest(
            IAsyncStreamReader<StreamIngestRequest> requestStream,
            IServerStreamWriter<StreamIngestResponse> responseStream,
            ServerCallContext context)
        {
            await foreach (var request in requestStream.ReadAllAsync().SelectMany(Items))
            {
                var response = faces.Respond<StreamIngestResponse>(request);
                response.ItemId = request.ItemId;
                await responseStream.WriteAsync(response);
            }
        }

        private static IEnumerable<StreamIngestRequest> Items(StreamIngestRequest message) =>
            message.Items.Count == 0 ? [message] : message.Items;
    }

    private sealed class ModelDouble(FacesDouble faces) : ModelService.ModelServiceBase
    {
        public override Task<ListModelsResponse> ListModels(ListModelsRequest request, ServerCallContext context) =>
            Task.FromResult(faces.Respond<ListModelsResponse>(request));
    }

    private sealed class StoreDouble(FacesDouble faces) : VectorStoreService.VectorStoreServiceBase
    {
        public override Task<ListVectorsResponse> ListVectors(ListVectorsRequest request, ServerCallContext context) =>
            Task.FromResult(faces.Respond<ListVectorsResponse>(request));

        public override Task<CountVectorsResponse> CountVectors(CountVectorsRequest request, ServerCallContext context) =>
            Task.FromResult(faces.Respond<CountVectorsResponse>(request));

        public override Task<ListCollectionsResponse> ListCollections(ListCollectionsRequest request, ServerCallContext context) =>
            Task.FromResult(faces.Respond<ListCollectionsResponse>(request));
    }
}
