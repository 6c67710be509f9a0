using System.CommandLine;
using Embeddings.Benchmarks.Curves;
using Embeddings.Benchmarks.Measuring;
using Embeddings.Benchmarks.Micro;
using Embeddings.Benchmarks.References;
using Embeddings.Benchmarks.Tracing;

namespace Embeddings.Benchmarks;

/// <summary>The command line: <c>[--only P1,P3] [--quick] [--micro | --curves | --trace-call]</c>, and <c>serve-echo</c>, which it starts itself.</summary>
internal static class BenchCommand
{
    public static async Task<int> RunAsync(string[] args)
    {
        var only = new Option<string>("--only") { Description = "Which to measure, for example P1,P3, or with --curves streams,images; all where absent.", DefaultValueFactory = _ => "" };
        var quick = new Option<bool>("--quick") { Description = "Smaller counts: about 5 minutes in all." };
        var micro = new Option<bool>("--micro") { Description = "Measures single routines with BenchmarkDotNet instead." };
        var curves = new Option<bool>("--curves") { Description = "Draws curves over streams, items per message, image size, collection size, filters, and recall instead: about an hour." };
        var trace = new Option<bool>("--trace-call") { Description = "Shows one EmbedFace on an idle server instead, event by event, in microseconds." };
        var directory = new Option<string>("--directory") { Description = "Where results go.", DefaultValueFactory = _ => Path.Combine("artifacts", "bench") };
        var root = new RootCommand("What the service costs over its parts, side by side.") { only, quick, micro, curves, trace, directory, ServeEcho() };
        root.SetAction((parsed, _) =>
        {
            var settings = new BenchSettings { Quick = parsed.GetValue(quick), Directory = Path.GetFullPath(parsed.GetValue(directory)!) };
            return parsed.GetValue(micro) ? MicroRun.RunAsync(settings)
                : parsed.GetValue(trace) ? CallTrace.RunAsync(settings)
                : parsed.GetValue(curves) ? CurvesRun.RunAsync(settings, Names(parsed.GetValue(only)!))
                : BenchRun.RunAsync(settings, Names(parsed.GetValue(only)!));
        });
        try
        {
            return await root.Parse(args).InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
        }
        catch (BenchException e)
        {
            await Console.Error.WriteLineAsync($"bench: {e.Message}");
            return 1;
        }
    }

    private static string[] Names(string text) => text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    private static Command ServeEcho()
    {
        var port = new Option<int>("--port") { Required = true };
        var command = new Command("serve-echo", "Serves the bare echo until it is ended.") { port };
        command.Hidden = true;
        command.SetAction(async (parsed, _) =>
        {
            await EchoServer.RunAsync(parsed.GetValue(port));
            return 0;
        });
        return command;
    }
}
