using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.IntegrationTests.RealModels;
using Grpc.Core;

namespace Embeddings.IntegrationTests;

/// <summary>
/// Memory of the server under sustained load. <c>EMBEDDINGS_TEST_CROPS=100000</c> makes the load as long as the documentation states; the default is a fifth
/// of that, so that the tests stay short.
/// </summary>
public sealed class MemoryTests(ITestOutputHelper output)
{
    private const int StreamCount = 8;
    private const string Model = "face-small-batches";

    // Memory that the allocator and the garbage collector may keep beyond what is in use, for a load of any length.
    private const long Slack = 32 << 20;

    private static readonly int Total = int.TryParse(Environment.GetEnvironmentVariable("EMBEDDINGS_TEST_CROPS"), out var crops) ? crops : 20_000;

    [Fact]
    public async Task Eight_streams_of_raw_crops_are_acked_in_order_and_memory_does_not_grow()
    {
        using var folder = new TempFolder();

        // Small batches, so that the search for the fastest batch size ends early: each doubling allocates memory once, regardless of the length of the load.
        using var models = new ModelFolder().Add(Items.FaceModel, Model, 100, maxBatch: 8);
        var (process, api) = await ServerProcess.StartAsync(folder.Path, "--Logging:LogLevel:Microsoft.AspNetCore=Warning", models.Argument);
        using (process)
        using (api)
        {
            // The same points are sent repeatedly: the store does not grow, so all growth is caused by the load.
            var first = Math.Min(10_000, Total / 2);
            var began = TimeProvider.System.GetTimestamp();
            await LoadAsync(api, first);
            var early = process.ResidentBytes;
            await LoadAsync(api, Total - first);
            var late = process.ResidentBytes;
            var took = TimeProvider.System.GetElapsedTime(began);
            output.WriteLine($"{Total} crops in {took.TotalSeconds:F1} s; {early >> 20} MiB after {first}, {late >> 20} MiB at the end, ratio {(double)late / early:F3}");
            Assert.InRange(late, 1, (long)(early * 1.25) + Slack);
            Assert.False(process.HasExited);
        }
    }

    [Fact]
    public async Task The_memory_of_large_images_is_released()
    {
        using var folder = new TempFolder();
        var (process, api) = await ServerProcess.StartAsync(folder.Path, "--Logging:LogLevel:Microsoft.AspNetCore=Warning");
        using (process)
        using (api)
        {
            await EmbedAsync(api, TestImages.Jpeg(1), 64);
            var before = process.ResidentBytes;

            // Rotated by Exif, so that whole images are in memory: 13 MB each.
            await EmbedAsync(api, TurnedPicture.Tag(TestImages.Jpeg(2, 2400, 1800), 6), 64);
            var after = process.ResidentBytes;
            output.WriteLine($"{before >> 20} MiB before, {after >> 20} MiB after");
            Assert.InRange(after - before, long.MinValue, 4 * Slack);
        }
    }

    private static Task EmbedAsync(Api api, byte[] file, int count) => Task.WhenAll(Enumerable.Range(0, StreamCount).Select(stream => Task.Run(async () =>
    {
        var answers = await api.Embedding.StreamEmbed().ExchangeAsync(
            Enumerable.Range(0, count / StreamCount).Select(i => Items.EmbedImage($"{stream}-{i}", TestImages.Encoded(file))));
        Assert.All(answers, answer => Assert.NotNull(answer.Embedding));
    })));

    private static async Task LoadAsync(Api api, int count)
    {
        // Few images: rendering them must not be the load.
        var crops = Enumerable.Range(0, 16).Select(TestImages.Crop).ToArray();
        await Task.WhenAll(Enumerable.Range(0, StreamCount).Select(stream => Task.Run(async () =>
        {
            using var call = api.Ingest.StreamIngest();
            var share = count / StreamCount;
            var sending = Task.Run(async () =>
            {
                for (var i = 0; i < share; i++)
                {
                    var request = Items.IngestFace("memory", $"{stream}-{i % 250}", 0, crops[i % crops.Length]);
                    (request.ItemId, request.Model) = ($"{i}", Model);
                    await call.RequestStream.WriteAsync(request).Bound();
                }
                await call.RequestStream.CompleteAsync().Bound();
            });
            var next = 0;
            while (await call.ResponseStream.MoveNext(CancellationToken.None).Bound())
            {
                Assert.Equal($"{next++}", call.ResponseStream.Current.ItemId);
                Assert.NotNull(call.ResponseStream.Current.Ack);
            }
            await sending;
            Assert.Equal(share, next);
            Assert.Equal(StatusCode.OK, call.GetStatus().StatusCode);
        })));
    }
}
