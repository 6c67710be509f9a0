using Embeddings.Core;
using Embeddings.Core.Inference;
using Embeddings.Server.Hosting;
using Embeddings.Testing;
using Embeddings.Testing.Models;
using Microsoft.Extensions.Configuration;

namespace Embeddings.Server.Tests.Hosting;

public sealed class ProviderTests : IDisposable
{
    private readonly TemporaryModels _models = new();

    public void Dispose() => _models.Dispose();

    [Theory]
    [InlineData("cpu", ExecutionProvider.Cpu)]
    [InlineData("cuda", ExecutionProvider.Cuda)]
    [InlineData("tensorrt", ExecutionProvider.TensorRt)]
    [InlineData("dml", ExecutionProvider.Dml)]
    [InlineData("coreml", ExecutionProvider.CoreMl)]
    [InlineData("openvino", ExecutionProvider.OpenVino)]
    public void Providers_are_told_by_their_words(string word, object expected)
    {
        var provider = (ExecutionProvider)expected;
        var options = Read(("Provider", word), ("ArenaBytes", "1000"));
        Assert.Equal((provider, 1000, false), (options.Provider, options.ArenaBytes, options.AllowCpuFallback));
        Assert.Equal(word, ProviderSetup.Word(provider));
    }

    [Theory]
    [InlineData("Provider", "vulkan")]
    [InlineData("Provider", "17")]
    [InlineData("ArenaBytes", "-1")]
    [InlineData("Device", "65")]
    public void Others_are_refused(string key, string value) =>
        Assert.ThrowsAny<Exception>(() => Read((key, value)));

    [Fact]
    public void A_provider_that_is_not_there_stops_the_load_unless_the_processor_may_stand_in()
    {
        // No build for one platform has all of them.
        var absent = Enum.GetValues<ExecutionProvider>().First(provider => ProviderSetup.Missing(provider) is not null);
        var path = _models.Save(TemporaryModels.ChannelMeans(5, 7), TemporaryModels.Manifest(7, 5, 3));
        var refused = Assert.Throws<ModelException>(() => ModelLoader.Load(path, new() { Provider = absent }));
        Assert.Contains("this build of ONNX Runtime has no", refused.Message, StringComparison.Ordinal);

        using var model = ModelLoader.Load(path, new() { Provider = absent, AllowCpuFallback = true });
        Assert.Equal("cpu", model.ExecutionProvider);
        Assert.Contains("instead of " + ProviderSetup.Word(absent), Assert.Single(model.Notices), StringComparison.Ordinal);
    }

    [Fact]
    public void Buckets_give_the_vectors_of_the_batches_they_hold()
    {
        using var model = _models.Load(TemporaryModels.ChannelMeans(5, 7), TemporaryModels.Manifest(7, 5, 3) with { MaxBatch = 6 }, new() { BatchBuckets = true });
        Assert.Equal(6, model.MaxBatch);
        using var tensor = model.CreateTensor();
        Assert.Equal(6, tensor.Capacity);
        for (var count = 1; count <= 6; count++)
        {
            for (var i = 0; i < 6; i++)
            {
                tensor.Item(i).Fill((10 * count) + i);
            }
            model.Run(0, tensor, 6 - count, count);
            for (var i = 6 - count; i < 6; i++)
            {
                Assert.Equal((10 * count) + i, tensor.Vector(i)[0], 1e-3f);
            }
        }
    }

    private static InferenceOptions Read(params (string Key, string Value)[] settings) => new ConfigurationBuilder()
        .AddInMemoryCollection(settings.ToDictionary(setting => $"Inference:{setting.Key}", setting => (string?)setting.Value))
        .Build()
        .Read<InferenceOptions>("Inference");
}
