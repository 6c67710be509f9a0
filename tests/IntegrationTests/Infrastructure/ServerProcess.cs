using Embeddings.TestModels;

namespace Embeddings.IntegrationTests.Infrastructure;

/// <summary>Starts servers as processes of their own: they can be killed, and their memory is their own.</summary>
internal static class ServerProcess
{
    private const string Listening = "Now listening on: ";

    /// <summary>Starts a server and waits until it listens.</summary>
    public static Task<(ChildProcess Process, Api Api)> StartAsync(string directory, params string[] args) =>
        ListenAsync(ChildProcess.Start("dotnet", Arguments(directory, args)));

    /// <summary>Starts a server within a memory limit and waits until it listens.</summary>
    public static Task<(ChildProcess Process, Api Api)> StartAsync(MemoryLimit limit, string directory, params string[] args)
    {
        string[] all = [.. Arguments(directory, [.. args, .. limit.Settings])];
        // The shell moves itself to the group and becomes the server.
        return ListenAsync(limit.Processes is { } processes
            ? ChildProcess.Start("sh", ["-c", "echo $$ > \"$0\" && exec \"$@\"", processes, "dotnet", .. all])
            : ChildProcess.Start("dotnet", all));
    }

    /// <summary>Starts a server that is expected to fail, and returns its exit code and output.</summary>
    public static Task<(int Code, string Output)> FailAsync(string directory, params string[] args) =>
        ChildProcess.RunAsync("dotnet", Arguments(directory, args));

    private static async Task<(ChildProcess Process, Api Api)> ListenAsync(ChildProcess process)
    {
        try
        {
            var line = await process.SeenAsync(Listening);
            // In JSON, the message ends with a quote.
            var address = line[(line.IndexOf(Listening, StringComparison.Ordinal) + Listening.Length)..].Split('"')[0].Trim();
            return (process, new(address));
        }
        catch
        {
            process.Dispose();
            throw;
        }
    }

    private static IEnumerable<string> Arguments(string directory, string[] args) =>
    [
        Path.Combine(AppContext.BaseDirectory, "Embeddings.Server.dll"),
        "--Server:GrpcPort=0",
        "--Server:HttpPort=-1",
        $"--Store:Embedded:Directory={directory}",
        .. Descriptor.Settings,
        .. args,
    ];
}
