using Embeddings.Benchmarks.Models;
using Embeddings.Testing;

namespace Embeddings.Benchmarks.Processes;

/// <summary>
/// <c>Python/serving.py</c>, a server as a team would write it instead, in a virtual environment that is made from a folder of wheels
/// (<c>PYTHON_WHEELS</c>, or <c>../shared/wheels</c> next to the checkout).
/// </summary>
internal sealed class PythonPeer
{
    private static readonly string[] Packages = ["grpcio", "grpcio-tools", "protobuf", "numpy", "onnxruntime", "pillow"];

    private readonly string _python;

    private PythonPeer(string python, bool hasFastApi) => (_python, HasFastApi) = (python, hasFastApi);

    /// <summary>True if FastAPI and uvicorn are available, as wheels or in the folder <c>PYTHON_PACKAGES</c>.</summary>
    public bool HasFastApi { get; }

    /// <summary>The reason why there is no such server, or null.</summary>
    public static string? Missing => Directory.Exists(Wheels) ? null : $"there are no Python packages in {Wheels}; set PYTHON_WHEELS";

    private static string Wheels =>
        Tool.Find("PYTHON_WHEELS") is { } folder ? Path.GetFullPath(folder) : Path.GetFullPath(Path.Combine(Repository.Root, "..", "shared", "wheels"));

    private static string Script(string name) => Path.Combine(Repository.Root, "benchmarks", "Python", name);

    /// <summary>Makes the virtual environment, unless an earlier run has made it.</summary>
    /// <param name="directory">The folder in which it is made.</param>
    public static async Task<PythonPeer> InstallAsync(string directory)
    {
        var environment = Path.Combine(directory, "python");
        var python = OperatingSystem.IsWindows() ? Path.Combine(environment, "Scripts", "python.exe") : Path.Combine(environment, "bin", "python");
        var installed = Path.Combine(environment, "installed");
        if (!File.Exists(installed))
        {
            await RunAsync(OperatingSystem.IsWindows() ? "python" : "python3", ["-m", "venv", "--clear", environment]);
            string[] install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--find-links", Wheels];
            await RunAsync(python, [.. install, .. Packages]);
            using var fastApi = ChildProcess.StartNative(python, [.. install, "fastapi", "uvicorn"]);
            await fastApi.WaitAsync();
            await File.WriteAllTextAsync(installed, "");
        }
        using var import = ChildProcess.StartNative(
            python, ["-c", "import os, sys; sys.path.append(os.environ.get('PYTHON_PACKAGES', '')); import fastapi, uvicorn"]);
        return new(python, await import.WaitAsync() == 0);
    }

    /// <summary>Starts the server and waits until its port is open; the model has run once then.</summary>
    /// <param name="model">The model.</param>
    /// <param name="way">The way in which it serves: <c>batches</c>, <c>parallel</c>, <c>threads</c>, or <c>http</c>.</param>
    /// <param name="isDrafting">Whether it decodes JPEG at a reduced scale.</param>
    public Task<GrpcProcess> StartAsync(BenchModel model, string way, bool isDrafting = false)
    {
        string[] arguments = [Script("serving.py"), "--model", model.File, "--protos", Path.Combine(Repository.Root, "protos"), "--way", way];
        string[] draft = isDrafting ? ["--draft"] : [];
        return GrpcProcess.StartAsync(port => ChildProcess.StartNative(_python, [.. arguments, .. draft, "--port", $"{port}"]), hasHealth: false);
    }

    private static async Task RunAsync(string program, IEnumerable<string> arguments)
    {
        using var process = ChildProcess.StartNative(program, arguments);
        if (await process.WaitAsync() != 0)
        {
            throw new BenchException($"the Python packages could not be installed: {process.Output}");
        }
    }
}
