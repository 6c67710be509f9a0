using System.CommandLine;
using Embeddings.Cli.Demos;
using Embeddings.Cli.Hosting;
using Embeddings.Cli.Printing;
using Embeddings.Client;

namespace Embeddings.Cli.Commands;

/// <summary><c>embeddings demo NAME</c>: a short demonstration on a temporary server and store.</summary>
internal static class DemoCommand
{
    private static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(60);

    private static readonly (string Name, string Description, Func<Demo, CancellationToken, Task> Run)[] Demos =
    [
        ("image-embedding", "Embeds images: random pixels, a scene, the same scene again.", ImageEmbeddingDemo.RunAsync),
        ("face-embedding", "Embeds faces: vectors of L2 norm 1, alignment by landmarks.", FaceEmbeddingDemo.RunAsync),
        ("image-store", "Adds, gets, searches and deletes images.", ImageStoreDemo.RunAsync),
        ("face-store", "The same with faces; search by media_store_id, delete by job_id.", FaceStoreDemo.RunAsync),
    ];

    public static Command Create(GlobalOptions globals)
    {
        var models = ServerOptions.Models();
        models.Recursive = true;
        var command =
            new Command("demo", "Demonstrates one part of the service on a temporary server and store.") { models };
        foreach (var (name, description, run) in Demos)
        {
            var demo = new Command(name, description);
            demo.SetAction((parsed, cancellationToken) =>
                RunAsync(globals.Output(parsed), parsed.GetValue(models), run, cancellationToken));
            command.Add(demo);
        }
        return command;
    }

    private static async Task<int> RunAsync(
        Output output, string? models, Func<Demo, CancellationToken, Task> run, CancellationToken cancellationToken)
    {
        var folder = Directory.CreateTempSubdirectory("embeddings-demo-");
        try
        {
            string[] settings =
            [
                "--Server:Listen=127.0.0.1", "--Server:GrpcPort=0", "--Server:HttpPort=0",
                // A configured certificate is for other names, and the server is for this process only.
                "--Server:Tls:CertificateFile=", "--Server:Tls:KeyFile=", "--Server:Tls:PasswordFile=", "--Server:Tls:ClientCaFile=",
                "--Server:Tls:ClientCertificates=None", "--Security:KeysFile=", "--Security:Jwt:Issuer=",
                "--Store:Kind=Embedded", $"--Store:Embedded:Directory={folder.FullName}",
                .. models is null ? [] : ServerOptions.ModelSettings(models),
            ];
            await using var server = await LocalServer.StartAsync(settings, quiet: true, cancellationToken);
            using var client = EmbeddingsClient.ForAddress(server.Address);
            await client.WaitUntilServingAsync(StartTimeout, cancellationToken);
            await run(new Demo(client, output), cancellationToken);
            return ExitCode.Done;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
