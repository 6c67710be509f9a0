using System.Numerics;
using Embeddings.Core.Models;

namespace Embeddings.Core.Inference;

/// <summary>The sizes and types of a model's tensors.</summary>
/// <param name="Input">Height, width.</param>
/// <param name="Dimension">Numbers in one vector.</param>
/// <param name="HalfInput">Whether the model wants float16.</param>
/// <param name="HalfOutput">Whether the model gives float16.</param>
/// <param name="OutputShape">
/// The output's sizes after the batch, as really seen in a run: [512], or [576, 1, 1]. Null where the output's first size is not the batch; then
/// the runtime makes the output and it is copied.
/// </param>
/// <param name="FixedBatch">The batch that every run must have, in a file that fixes it above 1; else 0. Rows without an item are zeros or leftovers.</param>
/// <param name="Buckets">Whether runs are filled up to 1, 2, 4, 8 rows and so on, in the same way.</param>
internal sealed record TensorLayout(
    InputSpec Input, int Dimension, bool HalfInput, bool HalfOutput, IReadOnlyList<long>? OutputShape, int FixedBatch = 0, bool Buckets = false)
{
    /// <summary>Rows of a run of some items.</summary>
    public int RowsOf(int count) => Buckets ? (int)BitOperations.RoundUpToPowerOf2((uint)count) : Math.Max(count, FixedBatch);

    public long[] InputShapeOf(int count) => [count, 3, Input.Height, Input.Width];

    public long[] OutputShapeOf(int count) => [count, .. OutputShape!];
}
