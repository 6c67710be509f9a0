using Embeddings.V1;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;

namespace Embeddings.Client.Tests;

/// <summary>
/// Compiled copies of the code blocks in the packages' READMEs. ReadmeTests checks that every block is here or in the
/// tests that it names.
/// </summary>
internal static class ReadmeSnippets
{
    public static async Task EmbedAsync()
    {
        using var client = EmbeddingsClient.ForAddress("127.0.0.1:50051");
        var response = await client.EmbedImageAsync(await File.ReadAllBytesAsync("photo.jpg"));
        Console.WriteLine($"{response.Embedding.Model}: dimension {response.Embedding.Values.Count}");
    }

    public static async Task<object> ListModelsAsync()
    {
        using var channel = GrpcChannel.ForAddress("http://127.0.0.1:50051");
        var models = new ModelService.ModelServiceClient(channel);
        var response = await models.ListModelsAsync(new ListModelsRequest());
        return response;
    }

    public static async Task IngestAsync(EmbeddingsClient client, string[] files)
    {
        var items = files.Select(file => new StreamIngestRequest
        {
            ItemId = file,
            Image = new ImageItem
            {
                JobId = Path.GetFileNameWithoutExtension(file),
                MediaStoreId = "media-1",
                Image = new Image { Encoded = ByteString.CopyFrom(File.ReadAllBytes(file)) },
            },
        });
        await foreach (var response in client.StreamIngestAsync(items.ToAsyncEnumerable()))
        {
            Console.WriteLine(response.Error is { } error ? $"{response.ItemId}: {error.Reason} {error.Message}" : $"stored {response.Ack.PointId}");
        }
    }

    public static async Task VectorsAsBytesAsync(EmbeddingsClient client, byte[] jpeg)
    {
        var request = new StreamEmbedRequest { ItemId = "1", Image = new Image { Encoded = ByteString.CopyFrom(jpeg) }, VectorsAsBytes = true };
        await foreach (var response in client.StreamEmbedAsync(new[] { request }.ToAsyncEnumerable()))
        {
            float[] vector = response.Embedding.GetVector().ToArray();
            var point = new VectorPoint { PointId = "job-1", Payload = new Payload { JobId = "job-1" } };
            point.SetVector(vector);
            await client.UpsertVectorsAsync(new UpsertVectorsRequest { Collection = "image_embeddings", Points = { point } });
        }
    }

    public static async Task<object> SearchAsync(EmbeddingsClient client, float[] vector)
    {
        var found = await client.SearchVectorsAsync("image_embeddings", vector, limit: 5, scoreThreshold: 0.5f);
        var faces = await client.SearchByMediaStoreIdAsync(new SearchByMediaStoreIdRequest
        {
            MediaStoreId = "media-1",
            Query = new SearchQuery { PointId = "job-1-0" },
        });
        await foreach (var point in client.ListAllVectorsAsync("image_embeddings"))
        {
            Console.WriteLine(point.PointId);
        }

        var deleted = await client.DeleteByJobIdAsync("job-1");
        return (found, faces, deleted);
    }

    public static async Task<object> ManyAsync(EmbeddingsClient client)
    {
        var points = await client.GetVectorsAsync("image_embeddings", ["job-1", "job-2"]);
        await client.SetAttributesAsync("image_embeddings", ["job-1"], new Dictionary<string, object?> { ["reviewed"] = true });
        return points;
    }

    public static async Task<long> CollectionsAsync(EmbeddingsClient client)
    {
        var year = new IndexedAttribute { Path = new AttributePath { Names = { "year" } }, Type = AttributeType.Number };
        await client.CreateCollectionAsync("photos-2", dimension: 512, new CollectionSettings { IndexedAttributes = { year } });
        await client.SetAliasAsync("photos", "photos-2");
        var count = await client.CountVectorsAsync("photos");
        return count;
    }

    public static async Task PhotosAsync(EmbeddingsClient client, byte[] jpeg)
    {
        var stored = await client.IngestPhotoAsync("job-1", jpeg, attributes: new Dictionary<string, object?> { ["album"] = "summer" });
        Console.WriteLine($"{stored.Ack.Faces.Count} faces stored, {stored.Ack.LeftOut.Count} left out");
        await client.NamePersonAsync("Ada", stored.Ack.Faces.Select(face => face.PointId));
        var identified = await client.IdentifyFacesAsync(jpeg);
        foreach (var face in identified.Faces)
        {
            Console.WriteLine($"{face.Face.Bbox}: {(face.Person.Length > 0 ? face.Person : "unknown")}");
        }
    }

    public static async Task PersonsAsync(EmbeddingsClient client)
    {
        await foreach (var message in client.ClusterFacesAsync(new ClusterFacesRequest { Apply = true }))
        {
            Console.WriteLine(message.Summary is { } summary ? $"{summary.PersonCount} persons, change {summary.ChangeId}" : "");
        }

        await foreach (var person in client.ListAllPersonsAsync())
        {
            Console.WriteLine($"{person.Name}: {person.FaceCount} faces");
        }
    }

    public static async Task<object?> AttributesAsync(EmbeddingsClient client, byte[] jpeg)
    {
        var attributes = new Dictionary<string, object?> { ["tag"] = "red", ["year"] = 2024, ["sizes"] = new[] { 1, 2 } };
        await client.IngestImageAsync("job-1", jpeg, attributes: attributes);
        var point = await client.GetVectorAsync("image_embeddings", "job-1");
        var tag = point.Payload.Attributes.ToDictionary()["tag"];
        return tag;
    }

    public static async Task CredentialsAsync(Func<CancellationToken, Task<string>> getTokenAsync)
    {
        using var client = new EmbeddingsClient(new EmbeddingsClientOptions
        {
            Addresses = ["https://embeddings.example.com:443"],
            Headers = new Dictionary<string, string> { ["x-tenant"] = "a" },
            CallCredentials = CallCredentials.FromInterceptor(async (context, metadata) =>
                metadata.Add("authorization", $"Bearer {await getTokenAsync(context.CancellationToken)}")),
            Interceptors = [new TimingInterceptor()],
        });
        await client.WaitUntilServingAsync(TimeSpan.FromSeconds(30));
    }

    public static async Task SecureAsync()
    {
        using var client = new EmbeddingsClient(new EmbeddingsClientOptions
        {
            Addresses = ["https://embeddings.example.com:50051"],
            CaFile = "ca.crt",
            ApiKey = Environment.GetEnvironmentVariable("EMBEDDINGS_API_KEY"),
        });
        await client.WaitUntilServingAsync(TimeSpan.FromSeconds(30));
    }

    public static async Task ErrorsAsync(EmbeddingsClient client)
    {
        try
        {
            await client.GetVectorAsync("image_embeddings", "job-1");
        }
        catch (EmbeddingsException error) when (error.Status == StatusCode.NotFound)
        {
            Console.WriteLine($"{error.Reason} {error.Field}: {error.Message}");
        }
    }

    public static async Task SeveralAsync()
    {
        using var client = new EmbeddingsClient(new EmbeddingsClientOptions
        {
            Addresses = ["10.0.0.1:50051", "10.0.0.2:50051"],
            LoadBalancing = LoadBalancing.RoundRobin,
            MaxInFlight = 512,
            Deadline = TimeSpan.FromSeconds(10),
        });
        await client.WaitUntilServingAsync(TimeSpan.FromSeconds(30));
    }

    public static void Register(IServiceCollection services, string key)
    {
        services.AddEmbeddingsClient("Embeddings")
            .AddCallCredentials((context, metadata) =>
            {
                metadata.Add("authorization", $"Bearer {key}");
                return Task.CompletedTask;
            });
    }

    public static async Task<object> GenerateAsync(EmbeddingsClient client, byte[] jpeg)
    {
        IEmbeddingGenerator<DataContent, Embedding<float>> generator = client.AsEmbeddingGenerator(ModelKind.Image);
        var embeddings = await generator.GenerateAsync([new DataContent(jpeg, "image/jpeg")]);
        return embeddings;
    }

    private sealed class TimingInterceptor : Interceptor;
}
