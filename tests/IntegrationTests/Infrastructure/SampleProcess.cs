using System.Diagnostics;
using System.Text;
using Embeddings.Testing;

namespace Embeddings.IntegrationTests.Infrastructure;

/// <summary>A sample, run as a separate process.</summary>
internal sealed class SampleProcess : IDisposable
{
    private const string Listening = "Now listening on: ";

    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private readonly TaskCompletionSource<Uri> _address = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public SampleProcess(string name, string serverAddress, params string[] args)
    {
        var start = new ProcessStartInfo("dotnet")
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment = { ["EMBEDDINGS_ADDRESS"] = serverAddress, ["Embeddings__Addresses__0"] = serverAddress },
        };
        // The sample's own folder, because the libraries next to the tests are those of ASP.NET Core.
        var build = Path.GetRelativePath(Path.Combine(AppContext.BaseDirectory, "../.."), AppContext.BaseDirectory);
        start.ArgumentList.Add(Path.Combine(Repository.Root, "samples", name, "bin", build, $"Embeddings.Samples.{name}.dll"));
        foreach (var arg in args)
        {
            start.ArgumentList.Add(arg);
        }

        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += (_, line) => Read(line.Data);
        _process.ErrorDataReceived += (_, line) => Read(line.Data);
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    /// <summary>Address that a web application listens on.</summary>
    public Task<Uri> AddressAsync() => _address.Task.Bound();

    /// <summary>Waits until the sample ends and returns its exit code and everything it printed.</summary>
    public async Task<(int Code, string Output)> EndAsync()
    {
        await _process.WaitForExitAsync().Bound();
        lock (_output)
        {
            return (_process.ExitCode, _output.ToString());
        }
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

    private void Read(string? line)
    {
        lock (_output)
        {
            _output.AppendLine(line);
        }

        if (line?.IndexOf(Listening, StringComparison.Ordinal) is >= 0 and var at)
        {
            _address.TrySetResult(new Uri(line[(at + Listening.Length)..].Trim()));
        }
    }
}
