using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using Embeddings.Server.Hosting;
using Embeddings.Storage;
using Embeddings.Tooling.Stores;
using Embeddings.V1;
using BoundingBox = Embeddings.Storage.BoundingBox;

namespace Embeddings.Benchmarks.Models;

/// <summary>Face points made by code: random directions with everything a worker knows of a face.</summary>
internal static class Points
{
    public const int Dimension = 512;

    /// <summary>Points number <paramref name="first"/> and following.</summary>
    public static StoredPoint[] Stored(int first, int count) => [.. Enumerable.Range(first, count).Select(number => Stored(number))];

    /// <summary>The same as stream requests.</summary>
    public static StreamUpsertVectorsRequest[] Requests(string collection, int first, int count) =>
        [.. Stored(first, count).Select(point => Request(collection, point))];

    /// <summary>Points whose vectors have length 1, as those of face models have.</summary>
    public static StoredPoint[] Unit(int count) => [.. Enumerable.Range(0, count).Select(static number =>
    {
        var point = Stored(number);
        var vector = point.Vector.ToArray();
        TensorPrimitives.Divide(vector, TensorPrimitives.Norm<float>(vector), vector);
        return point with { Vector = vector };
    })];

    /// <summary>One point as a stream request.</summary>
    public static StreamUpsertVectorsRequest Request(string collection, StoredPoint point) =>
        new() { ItemId = point.Id, Collection = collection, Point = Wire(point) };

    /// <summary>A random direction.</summary>
    public static float[] Vector(int seed)
    {
        var (random, vector) = (new Random(seed), new float[Dimension]);
        for (var i = 0; i < vector.Length; i++)
        {
            vector[i] = random.NextSingle() - 0.5f;
        }
        return vector;
    }

    private static StoredPoint Stored(int number) => new(
        $"job-{number / 4:000000}-{number % 4}",
        Vector(number),
        new PointPayload
        {
            JobId = $"job-{number / 4:000000}",
            MediaStoreId = $"media-{number / 40:000000}",
            FaceIndex = number % 4,
            Bbox = new BoundingBox(10, 20, 112, 112),
            Confidence = 0.9f,
        });

    private static VectorPoint Wire(StoredPoint point)
    {
        var payload = point.Payload;
        var wire = new VectorPoint
        {
            PointId = point.Id,
            Payload = new Payload
            {
                JobId = payload.JobId,
                MediaStoreId = payload.MediaStoreId,
                FaceIndex = payload.FaceIndex!.Value,
                Bbox = new() { X = payload.Bbox!.Value.X, Y = payload.Bbox.Value.Y, Width = payload.Bbox.Value.Width, Height = payload.Bbox.Value.Height },
                Confidence = payload.Confidence!.Value,
            },
        };
        // An array is copied as a block, and a segment of one value by value.
        wire.Vector.AddRange(MemoryMarshal.TryGetArray(point.Vector, out var own) && own.Count == own.Array!.Length ? own.Array : point.Vector.ToArray());
        return wire;
    }
}
