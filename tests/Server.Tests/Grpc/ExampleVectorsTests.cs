using Embeddings.Server.Grpc;

namespace Embeddings.Server.Tests.Grpc;

public sealed class ExampleVectorsTests
{
    [Fact]
    public void Each_example_counts_the_same_whatever_its_length()
    {
        var combined = Combine([[3, 0], [0, 1e-20f]], []);
        Assert.Equal(combined![0], combined[1]);
        Assert.Equal(Math.Sqrt(0.5), combined[0], 1e-7);
    }

    [Fact]
    public void The_mean_of_the_negative_examples_is_subtracted_at_unit_length()
    {
        // unit(mean) of the positive ones is (1, 0); of the negative ones (0, 1).
        Assert.Equal([1, -1], Combine([[1, 1], [1, -1]], [[1, 1], [-1, 1], [0, 5]])!);
        Assert.Equal([1, -2, 2], Combine([[1, -2, 2]], [])!.Select(value => MathF.Round(3 * value, 5)));
    }

    [Fact]
    public void Examples_that_cancel_each_other_out_have_no_direction()
    {
        Assert.Null(Combine([[1, 2], [-1, -2]], []));
        Assert.Null(Combine([[1, 2]], [[1, 2]]));
        Assert.Null(Combine([[1, 2], [2, 4]], [[3, 6]]));
        Assert.Null(Combine([[1, 2]], [[3, 1], [-3, -1]]));
        Assert.NotNull(Combine([[1, 2]], [[1, 2.0001f]]));
    }

    private static float[]? Combine(float[][] positive, float[][] negative) => ExampleVectors.Combine(
        [.. positive.Select(vector => new ReadOnlyMemory<float>(vector))],
        [.. negative.Select(vector => new ReadOnlyMemory<float>(vector))]);
}
