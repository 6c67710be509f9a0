using Embeddings.Cli.Printing;
using Embeddings.Client;

namespace Embeddings.Cli.Doctor;

/// <summary>Runs checks one after the other, a line each. After one on which the rest of its group depends has failed, the rest is not run, and says so.</summary>
internal sealed class DoctorReport(Output output, TimeProvider time)
{
    private bool _skipping;

    /// <summary>Checks that failed or could not be run.</summary>
    public int Failed { get; private set; }

    /// <summary>Begins a group that does not depend on what came before.</summary>
    public void Begin() => _skipping = false;

    /// <summary>Runs a check: what it returns is what it found, what it throws is what is wrong.</summary>
    /// <param name="name">What is checked.</param>
    /// <param name="check">The check.</param>
    /// <param name="needed">Whether the rest of the group makes no sense without it.</param>
    public async Task CheckAsync(string name, Func<Task<string>> check, bool needed = false)
    {
        if (_skipping)
        {
            Failed++;
            Tell(name, "skip", "not run: a check before it failed", TimeSpan.Zero);
            return;
        }
        var began = time.GetTimestamp();
        try
        {
            Tell(name, "ok", await check(), time.GetElapsedTime(began));
        }
        catch (Exception e) when (e is EmbeddingsException or CliException)
        {
            Failed++;
            _skipping = needed;
            Tell(name, "FAIL", Why(e), time.GetElapsedTime(began));
        }
    }

    private static string Why(Exception exception)
    {
        if (exception is not EmbeddingsException error)
        {
            return exception.Message;
        }
        var status = StatusName.Of((int)error.Status);
        return error.Reason == status ? $"{status}: {error.Message}" : $"{status} {error.Reason}: {error.Message}";
    }

    private void Tell(string name, string verdict, string detail, TimeSpan took)
    {
        output.Object(json =>
        {
            json.WriteString("check", name);
            json.WriteString("verdict", verdict.ToLowerInvariant());
            json.WriteString("detail", detail);
            json.WriteNumber("ms", Math.Round(took.TotalMilliseconds, 1));
        });
        output.Line($"{verdict,-4}  {name,-28} {detail} ({took.TotalMilliseconds:F0} ms)");
    }
}
