using Embeddings.Cli.Sampling;

namespace Embeddings.Cli.Tests.Sampling;

public sealed class DiceTests
{
    // The first numbers of SplitMix64 from seed 1234567, as its authors' own C code gives them.
    [Fact]
    public void The_numbers_are_SplitMix64s()
    {
        var dice = new Dice(1234567);
        Assert.Equal([6457827717110365317, 3203168211198807973, 9817491932198370423], new[] { dice.Next(), dice.Next(), dice.Next() });
    }

    [Fact]
    public void Between_stays_between()
    {
        var dice = new Dice(1);
        var numbers = Enumerable.Range(0, 10_000).Select(_ => dice.Between(-2, 3)).ToList();
        Assert.All(numbers, number => Assert.InRange(number, -2, 3));
        Assert.InRange(numbers.Average(), 0.4, 0.6);
    }
}
