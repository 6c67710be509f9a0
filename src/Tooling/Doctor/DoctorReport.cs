using Embeddings.Client;
using Embeddings.Tooling.Items;

namespace Embeddings.Tooling.Doctor;

/// <summary>Verdict of a check.</summary>
internal enum Verdict
{
    Ok,

    /// <summary>Passed, with something that should be changed.</summary>
    Warn,

    Fail,

    /// <summary>Not run because a required check failed.</summary>
    Skip,
}

/// <summary>Result of one check.</summary>
/// <param name="Name">Name of the check.</param>
/// <param name="Verdict">Whether it passed.</param>
/// <param name="Detail">What was found, or what is wrong.</param>
/// <param name="Took">Duration.</param>
internal sealed record CheckResult(string Name, Verdict Verdict, string Detail, TimeSpan Took);

/// <summary>Runs checks one after another. After a required check has failed, the rest of its group is skipped.</summary>
internal sealed class DoctorReport(Action<CheckResult> report, TimeProvider time)
{
    private bool _skipping;

    /// <summary>Number of checks that failed or were skipped.</summary>
    public int Failed { get; private set; }

    /// <summary>Number of checks that passed with a warning.</summary>
    public int Warnings { get; private set; }

    /// <summary>Starts a group that does not depend on the previous checks.</summary>
    public void Begin() => _skipping = false;

    /// <summary>Runs a check. It returns what it found and throws what is wrong.</summary>
    /// <param name="name">Name of the check.</param>
    /// <param name="check">The check.</param>
    /// <param name="required">Whether the rest of the group depends on it.</param>
    public Task CheckAsync(string name, Func<Task<string>> check, bool required = false) =>
        CheckAsync(name, async () => (Verdict.Ok, await check()), required);

    /// <summary>Runs a check that can warn. It returns its verdict with what it found, and throws what is wrong.</summary>
    /// <inheritdoc cref="CheckAsync(string, Func{Task{string}}, bool)"/>
    public async Task CheckAsync(string name, Func<Task<(Verdict Verdict, string Detail)>> check, bool required = false)
    {
        if (_skipping)
        {
            Failed++;
            report(new(name, Verdict.Skip, "not run because a required check failed", TimeSpan.Zero));
            return;
        }
        var start = time.GetTimestamp();
        try
        {
            var (verdict, detail) = await check();
            Warnings += verdict == Verdict.Warn ? 1 : 0;
            report(new(name, verdict, detail, time.GetElapsedTime(start)));
        }
        catch (Exception e) when (e is EmbeddingsException or ToolException)
        {
            Failed++;
            _skipping = required;
            report(new(name, Verdict.Fail, Why(e), time.GetElapsedTime(start)));
        }
    }

    private static string Why(Exception exception) => exception is EmbeddingsException error
        ? $"{StatusName.WithReason(error)}: {error.Message}"
        : exception.Message;
}
