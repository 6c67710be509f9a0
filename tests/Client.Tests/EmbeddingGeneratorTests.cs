using Embeddings.Client.Tests.Doubles;
using Embeddings.V1;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.Extensions.AI;

namespace Embeddings.Client.Tests;

public sealed class EmbeddingGeneratorTests
{
    [Theory]
    [InlineData(ModelKind.Image)]
    [InlineData(ModelKind.Face)]
    public async Task ImagesAreEmbeddedInOrder(ModelKind kind)
    {
        await using var server = await ServerDouble.StartAsync(Measuring());
        using var client = server.Client();
        using var generator = client.AsEmbeddingGenerator(kind, "own");
        var images = Enumerable.Range(1, 300).Select(TestImage).ToArray();

        var embeddings = await generator.GenerateAsync(images);

        Assert.Equal(
            Enumerable.Range(1, 300).Select(size => (float)size), embeddings.Select(embedding => embedding.Vector.Span[0]));
        var kindValue = kind == ModelKind.Face ? 1f : 0f;
        Assert.All(embeddings, embedding => Assert.Equal((kindValue, "own"), (embedding.Vector.Span[1], embedding.ModelId)));
    }

    [Fact]
    public async Task TheModelOfTheOptionsOverridesTheModelOfTheGenerator()
    {
        await using var server = await ServerDouble.StartAsync(Measuring());
        using var client = server.Client();
        IEmbeddingGenerator<DataContent, Embedding<float>> generator = client.AsEmbeddingGenerator(ModelKind.Image, "own");

        var options = new EmbeddingGenerationOptions { ModelId = "other", Dimensions = 2 };
        var embedding = await generator.GenerateAsync(TestImage(1), options);

        Assert.Equal("other", embedding.ModelId);
        var error = await Assert.ThrowsAsync<EmbeddingsException>(
            () => generator.GenerateAsync([TestImage(1)], new EmbeddingGenerationOptions { Dimensions = 3 }));
        Assert.Equal("DIMENSION_MISMATCH", error.Reason);
    }

    [Fact]
    public async Task TheErrorOfAFailedImageNamesItsIndex()
    {
        await using var server = await ServerDouble.StartAsync(Measuring());
        using var client = server.Client();
        var generator = client.AsEmbeddingGenerator(ModelKind.Image);

        var error = await Assert.ThrowsAsync<EmbeddingsException>(
            () => generator.GenerateAsync([TestImage(1), TestImage(2), TestImage(0), TestImage(3)]));

        Assert.Equal(
            (StatusCode.InvalidArgument, "IMAGE_EMPTY", "values[2].image.encoded"), (error.Status, error.Reason, error.Field));
        Assert.Contains("Value 2:", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ValuesThatAreNotImagesAreRejected()
    {
        await using var server = await ServerDouble.StartAsync(Measuring());
        using var client = server.Client();
        var generator = client.AsEmbeddingGenerator(ModelKind.Image);

        var error = await Assert.ThrowsAsync<ArgumentException>(
            () => generator.GenerateAsync([TestImage(1), new DataContent(new byte[1], "text/plain")]));

        Assert.Contains("Value 1", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => client.AsEmbeddingGenerator(ModelKind.Unspecified));
        Assert.Empty(await generator.GenerateAsync([]));
    }

    [Fact]
    public async Task TheDeadlineIncludesAllReconnectsToAServerThatIsDown()
    {
        string address;
        await using (var server = await ServerDouble.StartAsync())
        {
            address = server.Address;
        }

        // The reconnects alone would take hours.
        using var client = new EmbeddingsClient(new EmbeddingsClientOptions
        {
            Addresses = [address],
            MaxReconnects = 10_000,
            Deadline = TimeSpan.FromMilliseconds(300),
        });
        var generator = client.AsEmbeddingGenerator(ModelKind.Image);

        var error = await Assert.ThrowsAsync<EmbeddingsException>(() => generator.GenerateAsync([TestImage(1)]));

        Assert.Equal((StatusCode.DeadlineExceeded, "DEADLINE_EXCEEDED", "values[0]"), (error.Status, error.Reason, error.Field));
        Assert.StartsWith("Value 0 was not embedded within 0.3 s (Deadline).", error.Message, StringComparison.Ordinal);
        Assert.Contains("refused", error.Message, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task VectorsAreRequestedAsBytesAndReadFromThem()
    {
        await using var server = await ServerDouble.StartAsync(new Behaviour
        {
            OnStreamEmbed = async (requests, responses, _) =>
            {
                await foreach (var request in requests.ReadItemsAsync())
                {
                    Assert.True(request.VectorsAsBytes);
                    byte[] values = [.. BitConverter.GetBytes(0.5f), .. BitConverter.GetBytes(-2f)];
                    var embedding = new V1.Embedding { ValuesF32 = ByteString.CopyFrom(values) };
                    await responses.WriteAsync(new StreamEmbedResponse { ItemId = request.ItemId, Embedding = embedding });
                }
            },
        });
        using var client = server.Client();

        var embeddings = await client.AsEmbeddingGenerator(ModelKind.Image).GenerateAsync([TestImage(1)]);

        Assert.Equal([0.5f, -2f], Assert.Single(embeddings).Vector.ToArray());
    }

    [Fact]
    public async Task TheDeadlineEndsACallToAServerThatHangs()
    {
        await using var server = await ServerDouble.StartAsync(new Behaviour
        {
            OnStreamEmbed = async (requests, responses, context) =>
            {
                await requests.MoveNext();
                await responses.WriteAsync(Behaviour.Answer(StreamItems.Of(requests.Current)[0]));
                await Task.Delay(Timeout.Infinite, context.CancellationToken);
            },
        });
        using var client = server.Client();
        // Connect first so that the deadline covers only the call.
        await client.WaitUntilServingAsync(TimeSpan.FromSeconds(10));
        var generator = client.WithDeadline(TimeSpan.FromSeconds(1)).AsEmbeddingGenerator(ModelKind.Image);

        var error = await Assert.ThrowsAsync<EmbeddingsException>(
            () => generator.GenerateAsync([TestImage(1), TestImage(2), TestImage(3)]));

        Assert.Equal((StatusCode.DeadlineExceeded, "values[1]"), (error.Status, error.Field));
    }

    [Fact]
    public async Task TheCallersTokenIsNotReportedAsTheDeadline()
    {
        var arrived = new TaskCompletionSource();
        await using var server = await ServerDouble.StartAsync(new Behaviour
        {
            OnStreamEmbed = (_, _, context) =>
            {
                arrived.TrySetResult();
                return Task.Delay(Timeout.Infinite, context.CancellationToken);
            },
        });
        using var client = server.Client();
        using var cancel = new CancellationTokenSource();
        var generating = client.AsEmbeddingGenerator(ModelKind.Image).GenerateAsync([TestImage(1)], null, cancel.Token);
        await arrived.Task;

        await cancel.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => generating);
    }

    [Fact]
    public async Task MetadataIsReadFromTheServer()
    {
        await using var server = await ServerDouble.StartAsync(new Behaviour
        {
            Models =
            {
                new Model { Name = "a", Kind = ModelKind.Image, Dimension = 8, DefaultForKind = true },
                new Model { Name = "b", Kind = ModelKind.Face, Dimension = 16 },
                new Model { Name = "c", Kind = ModelKind.Face, Dimension = 32, DefaultForKind = true },
            },
        });
        using var client = server.Client();

        Assert.Equal(("embeddings", "c", 32), Metadata(await client.CreateEmbeddingGeneratorAsync(ModelKind.Face)));
        Assert.Equal(("embeddings", "b", 16), Metadata(await client.CreateEmbeddingGeneratorAsync(ModelKind.Face, "b")));
        var error = await Assert.ThrowsAsync<EmbeddingsException>(
            () => client.CreateEmbeddingGeneratorAsync(ModelKind.Face, "none"));
        Assert.Equal(StatusCode.NotFound, error.Status);
    }

    [Fact]
    public async Task ServicesAreReturnedByType()
    {
        await using var server = await ServerDouble.StartAsync();
        using var client = server.Client();
        var generator = client.AsEmbeddingGenerator(ModelKind.Image);

        Assert.Same(client, generator.GetService(typeof(EmbeddingsClient)));
        Assert.Same(generator, generator.GetService(typeof(IEmbeddingGenerator<DataContent, Embedding<float>>)));
        Assert.Null(generator.GetService(typeof(string)));
        Assert.Null(generator.GetService(typeof(EmbeddingsClient), "key"));
    }

    private static (string? Provider, string? Model, int? Dimensions) Metadata(
        IEmbeddingGenerator<DataContent, Embedding<float>> generator)
    {
        var metadata = generator.GetService<EmbeddingGeneratorMetadata>()!;
        return (metadata.ProviderName, metadata.DefaultModelId, metadata.DefaultModelDimensions);
    }

    private static DataContent TestImage(int size) => new(new byte[size], "image/jpeg");

    // Returns the size and the kind of the image as the vector; an empty image is an error.
    private static Behaviour Measuring() => new()
    {
        OnStreamEmbed = async (requests, responses, _) =>
        {
            await foreach (var request in requests.ReadItemsAsync())
            {
                var isFace = request.Face is not null;
                var size = (request.Face?.Image ?? request.Image).Encoded.Length;
                var response = new StreamEmbedResponse { ItemId = request.ItemId };
                if (size == 0)
                {
                    response.Error = new ItemError
                    {
                        Code = 3,
                        Reason = "IMAGE_EMPTY",
                        Message = "The image is empty.",
                        Field = "image.encoded",
                    };
                }
                else
                {
                    response.Embedding = new V1.Embedding { Values = { size, isFace ? 1 : 0 }, Model = request.Model };
                }

                await responses.WriteAsync(response);
            }
        },
    };
}
