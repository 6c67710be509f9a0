namespace Embeddings.Cli.Printing;

/// <summary>How far an ingest has come.</summary>
internal readonly record struct Tally(long Stored, long Skipped, long Failed)
{
    public long Done => Stored + Skipped + Failed;

    public Tally AddStored() => this with { Stored = Stored + 1 };

    public Tally AddSkipped() => this with { Skipped = Skipped + 1 };

    public Tally AddFailed() => this with { Failed = Failed + 1 };
}
