using System.Diagnostics;

namespace Embeddings.Testing;

/// <summary>A child process whose output lines are kept and can be waited for. Disposing kills it.</summary>
public sealed class ChildProcess : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    private readonly Process _process;
    private readonly Lock _lock = new();
    private readonly List<string> _lines = [];
    private readonly List<(string Text, TaskCompletionSource<string> Seen)> _waiting = [];

    private ChildProcess(ProcessStartInfo start)
    {
        _process = new() { StartInfo = start, EnableRaisingEvents = true };
        _process.OutputDataReceived += (_, line) => Read(line.Data);
        _process.ErrorDataReceived += (_, line) => Read(line.Data);
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        Ended = EndedAsync();
    }

    /// <summary>Completes with the exit code, after the last line.</summary>
    public Task<int> Ended { get; }

    /// <summary>Everything it has written so far, to standard output and standard error.</summary>
    public string Output
    {
        get
        {
            lock (_lock)
            {
                return string.Join('\n', _lines);
            }
        }
    }

    public int Id => _process.Id;

    /// <summary>Resident memory in bytes.</summary>
    public long ResidentBytes
    {
        get
        {
            _process.Refresh();
            return _process.WorkingSet64;
        }
    }

    public bool HasExited => _process.HasExited;

    public static ChildProcess Start(
        string program,
        IEnumerable<string> arguments,
        string? directory = null,
        IEnumerable<KeyValuePair<string, string>>? environment = null)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = directory ?? "",
        };
        foreach (var (name, value) in environment ?? [])
        {
            start.Environment[name] = value;
        }
        return new(start);
    }

    /// <summary>Runs a program to its end and returns its exit code and output.</summary>
    public static async Task<(int Code, string Output)> RunAsync(
        string program,
        IEnumerable<string> arguments,
        string? directory = null,
        IEnumerable<KeyValuePair<string, string>>? environment = null)
    {
        using var process = Start(program, arguments, directory, environment);
        return (await process.Ended.WaitAsync(Limit), process.Output);
    }

    /// <summary>Waits for a line that contains the text and returns it; fails if the process ends first.</summary>
    public Task<string> SeenAsync(string text)
    {
        lock (_lock)
        {
            if (_lines.Find(line => line.Contains(text, StringComparison.Ordinal)) is { } found)
            {
                return Task.FromResult(found);
            }
            var seen = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiting.Add((text, seen));
            return WaitAsync(seen.Task);
        }

        async Task<string> WaitAsync(Task<string> seen)
        {
            var first = await Task.WhenAny(seen, Ended).WaitAsync(Limit);
            if (first != seen && !seen.IsCompleted)
            {
                throw new InvalidOperationException($"the process ended before it wrote '{text}': {Output}");
            }
            return await seen;
        }
    }

    /// <summary>Ends it without warning (SIGKILL) and waits until it is gone.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await Ended.WaitAsync(Limit);
    }

    /// <summary>Sends SIGTERM, as service managers do, and returns the exit code.</summary>
    public async Task<int> StopAsync()
    {
        var (code, output) = await RunAsync("kill", ["-TERM", $"{_process.Id}"]);
        return code == 0 ? await Ended.WaitAsync(Limit) : throw new InvalidOperationException($"kill failed: {output}");
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            _process.WaitForExit();
        }
        _process.Dispose();
    }

    private async Task<int> EndedAsync()
    {
        await _process.WaitForExitAsync();
        return _process.ExitCode;
    }

    private void Read(string? line)
    {
        if (line is null)
        {
            return;
        }
        lock (_lock)
        {
            _lines.Add(line);
            foreach (var (_, seen) in _waiting.Where(waiting => line.Contains(waiting.Text, StringComparison.Ordinal)))
            {
                seen.TrySetResult(line);
            }
        }
    }
}
