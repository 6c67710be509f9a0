using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.TestModels;

namespace Embeddings.IntegrationTests;

/// <summary>SIGTERM to the process: it ends with exit code 0 whatever its clients do, and keeps what it acked.</summary>
public sealed class StopTests
{
    private const string Collection = "stopped";

    [Theory]
    [InlineData("Embeddings.Server.dll")]
    [InlineData("Embeddings.Cli.dll", "serve")]
    public async Task A_stop_ends_with_0_whatever_clients_do_and_keeps_acked_points(params string[] command)
    {
        const int Count = 20;
        using var folder = new TempFolder();
        using (var process = Start(folder.Path, command))
        {
            var address = await AddressAsync(process);
            using var api = new Api(address);
            using var clients = await StuckClients.ConnectAsync(address, api);
            using var call = api.Ingest.StreamIngest();
            for (var i = 0; i < Count; i++)
            {
                await call.RequestStream.WriteAsync(Items.IngestFace(Collection, $"{i}", 0, TestImages.Crop(i))).Bound();
            }
            var acked = await call.ResponseStream.TakeAsync(Count);
            Assert.All(acked, response => Assert.NotNull(response.Ack));
            Assert.Equal(0, await process.StopAsync());
            // The limit, not the clients, ended the stop.
            Assert.Contains("Connections were still open 1.6 s after the shutdown began", process.Output);
            Assert.DoesNotContain("   at ", process.Output);
        }
        await using var again = await TestServer.StartOnAsync(folder.Path);
        Assert.Equal(Count, (await again.Api.Vectors.CountVectorsAsync(new() { Collection = Collection }).Bound()).Count);
    }

    private static ChildProcess Start(string directory, string[] command) => ChildProcess.Start(
        "dotnet",
        [
            Path.Combine(AppContext.BaseDirectory, command[0]),
            .. command[1..],
            "--Server:GrpcPort=0",
            "--Server:HttpPort=-1",
            "--Server:ShutdownSeconds=2",
            $"--Store:Embedded:Directory={directory}",
            .. Descriptor.Settings,
        ]);

    private static async Task<string> AddressAsync(ChildProcess process)
    {
        const string Listening = "Now listening on: ";
        var line = await process.SeenAsync(Listening);
        return line[(line.IndexOf(Listening, StringComparison.Ordinal) + Listening.Length)..].Trim();
    }
}
