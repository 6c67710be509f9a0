namespace Embeddings.Cli;

/// <summary>What the process answers with; scripts depend on these numbers.</summary>
internal static class ExitCode
{
    /// <summary>Everything asked for was done.</summary>
    public const int Done = 0;

    /// <summary>Bad arguments, a missing file, no server, an error of the server, or a check that did not hold.</summary>
    public const int Failed = 1;

    /// <summary>The command ran to its end, but some of its items failed; each was reported.</summary>
    public const int SomeItemsFailed = 2;

    /// <summary>Ctrl-C, as shells have it (128 + SIGINT).</summary>
    public const int Interrupted = 130;
}
