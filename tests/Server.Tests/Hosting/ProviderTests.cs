using Embeddings.Core;
using Embeddings.Core.Inference;
using Embeddings.Core.Models;
using Embeddings.Testing.Models;

namespace Embeddings.Server.Tests.Hosting;

public sealed class ProviderTests : IDisposable
{
    private readonly TemporaryModels _models = new();

    public void Dispose() => _models.Dispose();

    [Fact]
    public void An_unavailable_provider_fails_the_load_unless_CPU_fallback_is_allowed()
    {
        // No build for one platform has all of them.
        var absent = Enum.GetValues<ExecutionProvider>().First(provider => ProviderSetup.Missing(provider) is not null);
        var path = _models.Save(TemporaryModels.ChannelMeans(5, 7), TemporaryModels.Manifest(7, 5, 3));
        var refused = Assert.Throws<ModelException>(() => ModelLoader.Load(path, new() { Provider = absent }));
        Assert.Contains(ProviderSetup.Missing(absent)!, refused.Message, StringComparison.Ordinal);

        using var model = ModelLoader.Load(path, new() { Provider = absent, AllowCpuFallback = true });
        Assert.Equal("cpu", model.ExecutionProvider);
        Assert.Contains(ProviderSetup.Word(absent), Assert.Single(model.Notices), StringComparison.Ordinal);
    }

    [Fact]
    public void Padded_batches_give_the_vectors_of_their_items()
    {
        var manifest = TemporaryModels.Manifest(7, 5, 3) with { MaxBatch = 6 };
        using var model = _models.Load(TemporaryModels.ChannelMeans(5, 7), manifest, new() { BatchBuckets = true });
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
}
