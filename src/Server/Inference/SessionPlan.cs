namespace Embeddings.Server.Inference;

/// <summary>How many sessions of how many threads a model gets.</summary>
internal readonly record struct SessionPlan(int Sessions, int IntraOpThreads)
{
    // Beyond about eight threads the operators of a small model spend more time on meeting each other than on working.
    private const int ThreadsThatPay = 8;

    /// <param name="options">What the operator asks for.</param>
    /// <param name="oneAtATime">Whether the model's largest batch is 1: then throughput comes from sessions, not from threads.</param>
    /// <param name="processors">Processors of the machine, at least 1.</param>
    public static SessionPlan For(InferenceOptions options, bool oneAtATime, int processors)
    {
        var automatic = oneAtATime ? Math.Min(processors, ThreadsThatPay) : (processors + ThreadsThatPay - 1) / ThreadsThatPay;
        var sessions = options.Sessions > 0 ? options.Sessions : Math.Clamp(automatic, 1, 64);
        return new(sessions, options.IntraOpThreads > 0 ? options.IntraOpThreads : Math.Max(1, processors / sessions));
    }
}
