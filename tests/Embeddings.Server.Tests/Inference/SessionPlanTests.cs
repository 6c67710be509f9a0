using Embeddings.Server.Inference;

namespace Embeddings.Server.Tests.Inference;

public sealed class SessionPlanTests
{
    [Theory]
    [InlineData(2, false, 0, 0, 1, 2)]
    [InlineData(8, false, 0, 0, 1, 8)]
    [InlineData(32, false, 0, 0, 4, 8)]
    [InlineData(2, true, 0, 0, 2, 1)]
    [InlineData(16, true, 0, 0, 8, 2)]
    [InlineData(2, false, 4, 0, 4, 1)]
    [InlineData(16, false, 2, 0, 2, 8)]
    [InlineData(16, false, 2, 3, 2, 3)]
    [InlineData(1, true, 0, 0, 1, 1)]
    public void Sessions_times_threads_is_about_the_processors(int processors, bool single, int sessions, int threads, int wantSessions, int wantThreads) =>
        Assert.Equal(
            new SessionPlan(wantSessions, wantThreads),
            SessionPlan.For(new() { Sessions = sessions, IntraOpThreads = threads }, single, processors));
}
