namespace Embeddings.Core.Inference;

/// <summary>How many sessions of how many threads a model gets, and how many runs of one thread may go on beside.</summary>
/// <param name="Sessions">Sessions with threads of their own, one run at a time each; at least 1.</param>
/// <param name="IntraOpThreads">Threads of each of them, at least 1.</param>
/// <param name="NarrowRuns">Runs of one thread each that may go on at once, all in one session more; 0 for none. Only beside a single session.</param>
internal readonly record struct SessionPlan(int Sessions, int IntraOpThreads, int NarrowRuns = 0)
{
    // Beyond about eight threads the operators of a small model spend more time on meeting each other than on working.
    private const int ThreadsThatPay = 8;

    // Narrow runs cost a second copy of the weights, and bring about a tenth more items: not worth more memory than this.
    private const long LargestTwice = 256L << 20;

    /// <summary>Copies of the weights in memory.</summary>
    public int Copies => NarrowRuns > 0 ? Sessions + 1 : Sessions;

    /// <param name="options">What the operator asks for.</param>
    /// <param name="oneAtATime">Whether the model's largest batch is 1: then throughput comes from runs at once, not from threads.</param>
    /// <param name="processors">Processors of the machine, at least 1.</param>
    /// <param name="bytes">Bytes of the model's files together.</param>
    public static SessionPlan For(InferenceOptions options, bool oneAtATime, int processors, long bytes)
    {
        // With all threads a call alone is over soonest; under load a run on each processor loses no time on threads that meet.
        if (options is { Sessions: 0, IntraOpThreads: 0, InterOpThreads: 1, Provider: ExecutionProvider.Cpu }
            && processors is > 1 and <= ThreadsThatPay && bytes <= LargestTwice)
        {
            return new(1, processors, processors);
        }
        var automatic = oneAtATime ? Math.Min(processors, ThreadsThatPay) : (processors + ThreadsThatPay - 1) / ThreadsThatPay;
        var sessions = options.Sessions > 0 ? options.Sessions : Math.Clamp(automatic, 1, 64);
        return new(sessions, options.IntraOpThreads > 0 ? options.IntraOpThreads : Math.Max(1, processors / sessions));
    }
}
