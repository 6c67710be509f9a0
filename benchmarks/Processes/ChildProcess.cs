using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Embeddings.Benchmarks.Processes;

/// <summary>A program in a process of its own, ended with this one at the latest.</summary>
internal sealed class ChildProcess : IDisposable
{
    private const int KeptLines = 40;

    private readonly Process _process;
    private readonly Queue<string> _lines = new();

    private ChildProcess(Process process)
    {
        _process = process;
        AppDomain.CurrentDomain.ProcessExit += KillAtExit;
        process.OutputDataReceived += Keep;
        process.ErrorDataReceived += Keep;
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    /// <summary>Processor time it took so far, over all processors.</summary>
    public TimeSpan Cpu
    {
        get
        {
            _process.Refresh();
            return _process.TotalProcessorTime;
        }
    }

    /// <summary>Bytes of memory it has.</summary>
    public long Memory
    {
        get
        {
            _process.Refresh();
            return _process.WorkingSet64;
        }
    }

    public bool HasExited => _process.HasExited;

    /// <summary>True if this program has ended it.</summary>
    public bool IsEnded { get; private set; }

    /// <summary>The last of what it printed.</summary>
    public string Output
    {
        get
        {
            lock (_lines)
            {
                return string.Join('\n', _lines);
            }
        }
    }

    /// <summary>Starts a program of this folder by its name: <c>Embeddings.Server</c>.</summary>
    public static ChildProcess Start(string program, IEnumerable<string> arguments, IEnumerable<KeyValuePair<string, string>>? environment = null)
    {
        var start = Info(Dotnet(), [Path.Combine(AppContext.BaseDirectory, program + ".dll"), .. arguments]);
        // As the server has it: the servers it is held against must run on the same collector.
        start.Environment["DOTNET_gcServer"] = "1";
        // As the launcher sets it.
        start.Environment.TryAdd("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1");
        foreach (var (name, value) in environment ?? [])
        {
            start.Environment[name] = value;
        }
        return new(Process.Start(start)!);
    }

    /// <summary>Starts a program that is not of .NET by its path.</summary>
    public static ChildProcess StartNative(string path, IEnumerable<string> arguments) => new(Process.Start(Info(path, arguments))!);

    /// <summary>Waits until it ends and returns its exit code.</summary>
    public async Task<int> WaitAsync()
    {
        await _process.WaitForExitAsync();
        return _process.ExitCode;
    }

    /// <summary>Sends SIGTERM and waits until it ends.</summary>
    public async Task StopAsync()
    {
        IsEnded = true;
        using var kill = Process.Start("kill", ["-TERM", _process.Id.ToString(CultureInfo.InvariantCulture)]);
        await _process.WaitForExitAsync();
    }

    public void Kill()
    {
        IsEnded = true;
        if (!_process.HasExited)
        {
            _process.Kill();
        }
    }

    public void Dispose()
    {
        AppDomain.CurrentDomain.ProcessExit -= KillAtExit;
        Kill();
        _process.WaitForExit();
        _process.Dispose();
    }

    private static ProcessStartInfo Info(string path, IEnumerable<string> arguments) =>
        new(path, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = AppContext.BaseDirectory };

    // The one that runs this program: another on the path may be of another version.
    private static string Dotnet()
    {
        var name = OperatingSystem.IsWindows() ? "dotnet.exe" : "dotnet";
        var running = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..", name));
        return File.Exists(running) ? running : name;
    }

    private void KillAtExit(object? sender, EventArgs arguments) => Kill();

    private void Keep(object sender, DataReceivedEventArgs line)
    {
        if (line.Data is not { } text)
        {
            return;
        }
        lock (_lines)
        {
            _lines.Enqueue(text);
            if (_lines.Count > KeptLines)
            {
                _lines.Dequeue();
            }
        }
    }
}
