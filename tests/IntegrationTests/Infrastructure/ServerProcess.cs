using Embeddings.TestModels;

namespace Embeddings.IntegrationTests.Infrastructure;

/// <summary>Starts servers as processes of their own: they can be killed, and their memory is their own.</summary>
internal static class ServerProcess
{
    private const string Listening = "Now listening on: ";

    /// <summary>Starts a server and waits until it listens.</summary>
    public static async Task<(ChildProcess Process, Api Api)> StartAsync(string directory, params string[] args)
    {
        var process = ChildProcess.Start("dotnet", Arguments(directory, args));
        try
        {
            var line = await process.SeenAsync(Listening);
            return (process, new(line[(line.IndexOf(Listening, StringComparison.Ordinal) + Listening.Length)..].Trim()));
        }
        catch
        {
            process.Dispose();
            throw;
        }
    }

    /// <summary>Starts a server that is expected to fail, and returns its exit code and output.</summary>
    public static Task<(int Code, string Output)> FailAsync(string directory, params string[] args) =>
        ChildProcess.RunAsync("dotnet", Arguments(directory, args));

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
