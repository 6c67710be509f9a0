using System.Diagnostics;
using Embeddings.Benchmarks.Measuring;
using Embeddings.Benchmarks.Models;
using Embeddings.Benchmarks.Processes;
using Embeddings.Benchmarks.References;
using Embeddings.Core.Faces;
using Embeddings.V1;
using Google.Protobuf;
using Grpc.Net.Client;
using NetVips;
using VipsImage = NetVips.Image;

namespace Embeddings.Benchmarks.Comparisons;

/// <summary>
/// Photos from JPEG to stored faces, over the sum of their bare parts (P1p): decoding, detector, landmarks and face model, each
/// alone on all processors at its best batch.
/// </summary>
internal static class Photos
{
    private const int MinFaceSize = 40;
    private const int Streams = 2;

    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(10);

    public static Task<IReadOnlyList<Outcome>> SingleAsync(BenchSettings settings) =>
        RunAsync(settings, "P1p", "photos of 640x480 with one face", BenchPhotos.Single(), 640, 480, faces: 1, settings.Count(256, 64));

    public static Task<IReadOnlyList<Outcome>> GroupAsync(BenchSettings settings) =>
        RunAsync(settings, "P1p12", "photos of 12 megapixels with 29 faces", BenchPhotos.Group(), 4000, 3000, faces: 29, settings.Count(6, 2));

    private static async Task<IReadOnlyList<Outcome>> RunAsync(
        BenchSettings settings, string id, string what, IReadOnlyList<byte[]> photos, int width, int height, int faces, int turn)
    {
        var detector = BenchModel.Default(settings.Directory, "ultraface");
        var spec = detector.Manifest;
        var tiles = TilePlan.Tiles(TilePlan.Of(
            width, height, spec.Input.Width, spec.Input.Height, spec.Detector!.MinFace, MinFaceSize));
        using var server = await GrpcProcess.ServerAsync(settings.Scratch("photos"), []);
        using var channel = GrpcChannel.ForAddress(server.Address);
        var client = new IngestService.IngestServiceClient(channel);
        var crops = BenchPhotos.Single();
        using var detecting = new BarePart(detector, crops, settings.Turn / 5);
        using var landmarks = new BarePart(BenchModel.Default(settings.Directory, "landmarks68"), crops, settings.Turn / 5);
        using var embedding = new BarePart(BenchModel.MobileFaceNet(settings.Directory), crops, settings.Turn / 5);

        double Bare()
        {
            var part = settings.Turn / 4;
            var seconds = SecondsPerDecode(photos, part)
                + (tiles * detecting.SecondsPerItem(part))
                + (faces * (landmarks.SecondsPerItem(part) + embedding.SecondsPerItem(part)));
            return 1 / seconds;
        }

        // The first photos run code that is still compiled, and batches whose size is still tried.
        var began = Stopwatch.GetTimestamp();
        do
        {
            await StreamAsync(client, photos, turn);
        }
        while (Stopwatch.GetElapsedTime(began) < WarmUp);
        var pairs = await Pairs.MeasureAsync(settings.Pairs, () => StreamAsync(client, photos, turn), () => Task.FromResult(Bare()));
        return
        [
            new Outcome
            {
                Id = id,
                What = $"StreamIngest of {what}, to stored faces, over the sum of its bare parts ({tiles} tiles)",
                Ours = $"{Spread.MedianOf(pairs.Ours):0.0} photos/s",
                Reference = $"{Spread.MedianOf(pairs.Reference):0.0} photos/s",
                Ratio = pairs.Ratio,
                Goal = Goal.OrMore(0.85),
                Pairs = pairs.Count,
            },
        ];
    }

    // Whole files to pixels, one on each processor.
    private static double SecondsPerDecode(IReadOnlyList<byte[]> photos, TimeSpan about)
    {
        var next = 0;
        var began = Stopwatch.GetTimestamp();
        Parallel.For(0, Environment.ProcessorCount, processor =>
        {
            do
            {
                using var image = VipsImage.NewFromBuffer(photos[Interlocked.Increment(ref next) % photos.Count], access: Enums.Access.Sequential);
                _ = image.WriteToMemory<byte>();
            }
            while (Stopwatch.GetElapsedTime(began) < about);
        });
        return Stopwatch.GetElapsedTime(began).TotalSeconds / next;
    }

    // Photos per second. Every photo must be stored: one that fails would be fast.
    private static async Task<double> StreamAsync(IngestService.IngestServiceClient client, IReadOnlyList<byte[]> photos, int count)
    {
        var began = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, Streams).Select(stream => Task.Run(async () =>
        {
            using var call = client.StreamIngest();
            var reading = Task.Run(async () =>
            {
                var stored = 0;
                while (await call.ResponseStream.MoveNext(CancellationToken.None))
                {
                    if (call.ResponseStream.Current.Error is { } error)
                    {
                        throw new BenchException($"a photo failed: {error.Reason} {error.Message}");
                    }
                    stored += call.ResponseStream.Current.PhotoAck.Faces.Count;
                }
                return stored;
            });
            for (var i = stream; i < count; i += Streams)
            {
                await call.RequestStream.WriteAsync(new()
                {
                    ItemId = $"{i}",
                    Photo = new() { JobId = $"{i}", Photo = new() { Encoded = UnsafeByteOperations.UnsafeWrap(photos[i % photos.Count]) } },
                });
            }
            await call.RequestStream.CompleteAsync();
            if (await reading == 0)
            {
                throw new BenchException("no face was found");
            }
        })));
        return count / Stopwatch.GetElapsedTime(began).TotalSeconds;
    }
}
