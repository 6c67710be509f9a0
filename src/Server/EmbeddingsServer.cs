using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace Embeddings.Server;

/// <summary>The server as a library: what <c>Program.cs</c>, the command line and the tests start.</summary>
public static class EmbeddingsServer
{
    /// <summary>
    /// A server that is ready to run. Configuration comes from <c>appsettings.json</c>, environment variables that begin with <c>EMBEDDINGS_</c>
    /// (<c>EMBEDDINGS_Store__Kind</c>), and arguments (<c>--Store:Kind=Qdrant</c>), the later ones over the earlier.
    /// </summary>
    /// <exception cref="Microsoft.Extensions.Options.OptionsValidationException">The configuration is wrong; the message says where.</exception>
    public static WebApplication Create(string[] args)
    {
        // Options are read once, so files are not watched: the watcher sees the whole working folder, and with it every write of a store that lies there.
        var builder = WebApplication.CreateSlimBuilder(["--hostBuilder:reloadConfigOnChange=false", .. args]);
        builder.AddEmbeddings(args);
        var app = builder.Build();
        app.MapEmbeddings();
        return app;
    }

    /// <summary>Runs a server until it is told to stop. A start that fails is one line on <paramref name="error"/>: what is wrong, not where in the code.</summary>
    /// <returns>The process's exit code: 0 after a stop, 1 after a start that failed.</returns>
    public static async Task<int> RunAsync(string[] args, TextWriter error)
    {
        try
        {
            await using var app = Create(args);
            await app.RunAsync();
            return 0;
        }
        catch (Exception e)
        {
            // Models are loaded side by side; the first that fails is the one to mend.
            var cause = e is AggregateException several ? several.Flatten().InnerExceptions[0] : e;
            await error.WriteLineAsync($"embeddings: {cause.Message.ReplaceLineEndings(" ")}");
            return 1;
        }
    }

    /// <summary>Where gRPC listens once the server has started, for example <c>http://127.0.0.1:50051</c>.</summary>
    public static string GrpcAddress(WebApplication app) => Addresses(app).First();

    /// <summary>Where <c>/healthz</c> and <c>/readyz</c> are once the server has started; null where there are none.</summary>
    public static string? HttpAddress(WebApplication app) => Addresses(app).Skip(1).FirstOrDefault();

    // In the order of listening: gRPC first.
    private static ICollection<string> Addresses(WebApplication app) =>
        app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses;
}
