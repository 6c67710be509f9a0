using Embeddings.Core.Inference;
using Embeddings.Server.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace Embeddings.Server;

/// <summary>Entry point of the server as a library, for <c>Program.cs</c>, the command line, and the tests.</summary>
public static class EmbeddingsServer
{
    /// <summary>
    /// Creates a server that is ready to run. Configuration comes from <c>appsettings.json</c>, environment variables
    /// that begin with <c>EMBEDDINGS_</c> (<c>EMBEDDINGS_Store__Kind</c>), and arguments (<c>--Store:Kind=Qdrant</c>);
    /// later sources override earlier ones.
    /// </summary>
    /// <exception cref="Microsoft.Extensions.Options.OptionsValidationException">
    /// A setting does not exist or cannot be parsed; the message names it. Values out of range cause this exception at
    /// the latest when the server starts.
    /// </exception>
    public static WebApplication Create(string[] args) => Create(args, null);

    /// <summary>Creates a server with services that replace its own, for tests.</summary>
    internal static WebApplication Create(string[] args, Action<IServiceCollection>? services)
    {
        NativeHeap.LimitHeaps();
        var builder = CreateBuilder(args);
        builder.AddEmbeddings(args);
        // In parallel with the rest of the composition: the start waits for the models, which wait for the native runtime. Not
        // before the settings are checked: a process that exits while the runtime is loaded may crash.
        _ = Task.Run(RuntimeSessions.LoadRuntime);
        services?.Invoke(builder.Services);
        var app = builder.Build();
        app.MapEmbeddings();
        return app;
    }

    private static WebApplicationBuilder CreateBuilder(string[] args)
    {
        Settings.RequireArguments(args);
        try
        {
            // Options are read once, so files are not watched: the watcher would see every write of a store in the
            // working directory.
            return WebApplication.CreateSlimBuilder(["--hostBuilder:reloadConfigOnChange=false", .. args]);
        }
        catch (InvalidDataException e)
        {
            throw Settings.Unreadable(e);
        }
    }

    /// <summary>
    /// Runs a server until it is stopped. If it cannot start, writes one line with the reason to <paramref
    /// name="error"/>.
    /// </summary>
    /// <returns>The exit code of the process: 0 after a stop, 1 if the start failed.</returns>
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
            // Models load in parallel, and all options are validated; the first failure is reported.
            var cause = e is AggregateException several ? several.Flatten().InnerExceptions[0] : e;
            await error.WriteLineAsync($"embeddings: {cause.Message.ReplaceLineEndings(" ")}");
            return 1;
        }
    }

    /// <summary>Returns the address of gRPC after the start, for example <c>http://127.0.0.1:50051</c>.</summary>
    public static string GrpcAddress(WebApplication app) => Addresses(app).First();

    /// <summary>
    /// Returns the address of <c>/healthz</c> and <c>/readyz</c> after the start, or null if there is none.
    /// </summary>
    public static string? HttpAddress(WebApplication app) => Addresses(app).Skip(1).FirstOrDefault();

    // In the order of registration: gRPC first.
    private static ICollection<string> Addresses(WebApplication app) =>
        app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses;
}
