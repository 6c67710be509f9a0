using Embeddings.IntegrationTests.Infrastructure;
using Google.Protobuf.Reflection;
using Alpha = Grpc.Reflection.V1Alpha;
using One = Grpc.Reflection.V1;

namespace Embeddings.IntegrationTests;

/// <summary>Both versions of the reflection service.</summary>
[Collection(SharedServer.Name)]
public sealed class ReflectionTests(ServerFixture server)
{
    private static readonly string[] Services =
        ["embeddings.v1.EmbeddingService", "embeddings.v1.IngestService", "embeddings.v1.ModelService", "embeddings.v1.VectorStoreService", "grpc.health.v1.Health"];

    [Fact]
    public async Task Version_1_lists_the_services_and_returns_their_files()
    {
        var client = new One.ServerReflection.ServerReflectionClient(server.Api.Channel);
        One.ServerReflectionRequest[] requests = [new() { ListServices = "" }, .. Services.Select(name => new One.ServerReflectionRequest { FileContainingSymbol = name })];
        var answers = await client.ServerReflectionInfo().ExchangeAsync(requests);
        Assert.Subset(answers[0].ListServicesResponse.Service.Select(service => service.Name).ToHashSet(), Services.ToHashSet());
        for (var i = 0; i < Services.Length; i++)
        {
            var files = answers[i + 1].FileDescriptorResponse.FileDescriptorProto.Select(FileDescriptorProto.Parser.ParseFrom).ToList();
            Assert.Contains(files, file => file.Service.Any(service => $"{file.Package}.{service.Name}" == Services[i]));
        }
    }

    [Fact]
    public async Task Version_1_alpha_lists_the_services_too()
    {
        var client = new Alpha.ServerReflection.ServerReflectionClient(server.Api.Channel);
        var answers = await client.ServerReflectionInfo().ExchangeAsync([new() { ListServices = "" }, new() { FileContainingSymbol = "embeddings.v1.StreamIngestRequest" }]);
        Assert.Subset(answers[0].ListServicesResponse.Service.Select(service => service.Name).ToHashSet(), Services.ToHashSet());
        Assert.NotEmpty(answers[1].FileDescriptorResponse.FileDescriptorProto);
    }
}
