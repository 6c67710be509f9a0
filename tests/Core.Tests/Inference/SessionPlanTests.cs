using Embeddings.Core.Inference;
using Embeddings.Core.Models;
using Embeddings.Testing;

namespace Embeddings.Core.Tests.Inference;

public sealed class SessionPlanTests
{
    private const int Small = 1 << 20;

    [Theory]
    [InlineData(1, false, 0, 0, 1, 1)]
    [InlineData(9, false, 0, 0, 2, 4)]
    [InlineData(16, false, 0, 0, 2, 8)]
    [InlineData(32, false, 0, 0, 4, 8)]
    [InlineData(64, false, 0, 0, 8, 8)]
    [InlineData(2, false, 1, 0, 1, 2)]
    [InlineData(2, true, 2, 0, 2, 1)]
    [InlineData(4, false, 0, 2, 1, 2)]
    [InlineData(2, true, 0, 1, 2, 1)]
    [InlineData(64, true, 0, 0, 8, 8)]
    [InlineData(16, true, 0, 0, 8, 2)]
    [InlineData(2, false, 4, 0, 4, 1)]
    [InlineData(16, false, 2, 0, 2, 8)]
    [InlineData(16, false, 2, 3, 2, 3)]
    [InlineData(1, true, 0, 0, 1, 1)]
    public void Sessions_times_threads_is_about_the_processors(int processors, bool single, int sessions, int threads, int wantSessions, int wantThreads) =>
        Assert.Equal(
            new SessionPlan(wantSessions, wantThreads),
            SessionPlan.For(new() { Sessions = sessions, IntraOpThreads = threads }, single, processors, Small));

    [Theory]
    [InlineData(1, 0)]
    [InlineData(2, 2)]
    [InlineData(4, 4)]
    [InlineData(8, 8)]
    [InlineData(9, 0)]
    [InlineData(16, 0)]
    [InlineData(64, 0)]
    public void Few_processors_get_one_session_with_all_threads_and_a_single_threaded_run_each(int processors, int singleThreadedRuns)
    {
        foreach (var single in (bool[])[false, true])
        {
            var plan = SessionPlan.For(new(), single, processors, Small);
            Assert.Equal(singleThreadedRuns, plan.SingleThreadedRuns);
            Assert.Equal(singleThreadedRuns == 0 ? plan.Sessions : 2, plan.Copies);
            if (singleThreadedRuns > 0)
            {
                Assert.Equal((1, processors), (plan.Sessions, plan.IntraOpThreads));
            }
        }
    }

    [Fact]
    public void Large_weights_other_providers_and_explicit_settings_have_no_single_threaded_runs()
    {
        Assert.Equal(new(1, 4, 4), SessionPlan.For(new(), false, 4, 256L << 20));
        Assert.Equal(new(1, 4), SessionPlan.For(new(), false, 4, (256L << 20) + 1));
        Assert.Equal(new(4, 1), SessionPlan.For(new(), true, 4, (256L << 20) + 1));
        Assert.Equal(new(1, 4), SessionPlan.For(new() { Provider = ExecutionProvider.Cuda }, false, 4, Small));
        Assert.Equal(new(1, 4), SessionPlan.For(new() { InterOpThreads = 2 }, false, 4, Small));
        Assert.Equal(new(1, 4), SessionPlan.For(new() { Sessions = 1 }, false, 4, Small));
        Assert.Equal(new(1, 3), SessionPlan.For(new() { IntraOpThreads = 3 }, false, 4, Small));
    }
}
