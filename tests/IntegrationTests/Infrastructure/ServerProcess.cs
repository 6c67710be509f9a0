using System.Diagnostics;
using System.Text;
using Embeddings.TestModels;

namespace Embeddings.IntegrationTests.Infrastructure;

/// <summary>A server as a process of its own: it can be killed, and its memory is its own.</summary>
internal sealed class ServerProcess : IDisposable
{
    private const string Listening = "Now listening on: ";

    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private readonly TaskCompletionSource<string> _address = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private ServerProcess(string directory, string[] args)
    {
        var start = new ProcessStartInfo("dotnet")
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            ArgumentList =
            {
                Path.Combine(AppContext.BaseDirectory, "Embeddings.Server.dll"),
                "--Server:GrpcPort=0",
                "--Server:HttpPort=-1",
                $"--Store:Embedded:Directory={directory}",
            },
        };
        foreach (var arg in Descriptor.Settings.Concat(args))
        {
            start.ArgumentList.Add(arg);
        }
        _process = new Process { StartInfo = start, EnableRaisingEvents = true };
        _process.OutputDataReceived += (_, line) => Read(line.Data);
        _process.ErrorDataReceived += (_, line) => Read(line.Data);
        _process.Exited += (_, _) => _address.TrySetException(new InvalidOperationException($"the server ended before it listened: {Output}"));
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    /// <summary>What it has written so far.</summary>
    public string Output
    {
        get
        {
            lock (_output)
            {
                return _output.ToString();
            }
        }
    }

    /// <summary>Memory it holds, bytes.</summary>
    public long ResidentBytes
    {
        get
        {
            _process.Refresh();
            return _process.WorkingSet64;
        }
    }

    public bool HasExited => _process.HasExited;

    /// <summary>Starts one and waits until it listens.</summary>
    public static async Task<(ServerProcess Process, Api Api)> StartAsync(string directory, params string[] args)
    {
        var process = new ServerProcess(directory, args);
        try
        {
            return (process, new(await process._address.Task.Bound()));
        }
        catch
        {
            process.Dispose();
            throw;
        }
    }

    /// <summary>Starts one that is to fail, and returns its exit code and all it wrote.</summary>
    public static async Task<(int Code, string Output)> FailAsync(string directory, params string[] args)
    {
        using var process = new ServerProcess(directory, args);
        await process._process.WaitForExitAsync().Bound();
        return (process._process.ExitCode, process.Output);
    }

    /// <summary>The end without warning: SIGKILL.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync().Bound();
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            _process.WaitForExit();
        }
        // A start that failed may have nobody left to look.
        _ = _address.Task.Exception;
        _process.Dispose();
    }

    private void Read(string? line)
    {
        if (line is null)
        {
            return;
        }
        lock (_output)
        {
            _output.AppendLine(line);
        }
        var at = line.IndexOf(Listening, StringComparison.Ordinal);
        if (at >= 0)
        {
            _address.TrySetResult(line[(at + Listening.Length)..].Trim());
        }
    }
}
