using System.Diagnostics;
using System.Text;
using Embeddings.TestModels;

namespace Embeddings.IntegrationTests.Infrastructure;

/// <summary>A server in its own process, which can be killed and whose memory can be measured.</summary>
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

    /// <summary>Its output so far.</summary>
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

    /// <summary>Resident memory, bytes.</summary>
    public long ResidentBytes
    {
        get
        {
            _process.Refresh();
            return _process.WorkingSet64;
        }
    }

    public bool HasExited => _process.HasExited;

    /// <summary>Starts a server and waits until it listens.</summary>
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

    /// <summary>Starts a server that must fail, and returns its exit code and output.</summary>
    public static async Task<(int Code, string Output)> FailAsync(string directory, params string[] args)
    {
        using var process = new ServerProcess(directory, args);
        await process._process.WaitForExitAsync().Bound();
        return (process._process.ExitCode, process.Output);
    }

    /// <summary>Kills the process with SIGKILL.</summary>
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
        // Observes the exception of a failed start.
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
