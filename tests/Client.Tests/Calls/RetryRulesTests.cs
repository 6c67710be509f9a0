using Embeddings.Client.Calls;

namespace Embeddings.Client.Tests.Calls;

public sealed class RetryRulesTests
{
    private static readonly EmbeddingsClientOptions Options = new()
    {
        ReconnectDelay = TimeSpan.FromMilliseconds(100),
        MaxReconnectDelay = TimeSpan.FromSeconds(5),
    };

    [Theory]
    [InlineData(1, 0, 100)]
    [InlineData(2, 0, 200)]
    [InlineData(6, 0, 3200)]
    [InlineData(7, 0, 5000)]
    [InlineData(10_000, 0, 5000)]
    [InlineData(1, 1, 50)]
    [InlineData(10_000, 0.5, 3750)]
    public void TheBackoffDoublesUpToItsMaximumLessARandomHalf(int failures, double random, double milliseconds) =>
        Assert.Equal(milliseconds, RetryRules.Backoff(failures, Options, random).TotalMilliseconds, 3);

    [Fact]
    public void TheLargestOptionsDoNotOverflow()
    {
        var options = new EmbeddingsClientOptions
        {
            ReconnectDelay = TimeSpan.FromMinutes(1),
            MaxReconnectDelay = TimeSpan.FromHours(1),
        };

        Assert.Equal(TimeSpan.FromHours(1), RetryRules.Backoff(int.MaxValue, options, 0));
    }
}
