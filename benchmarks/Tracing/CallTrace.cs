using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using System.Text;
using Embeddings.Benchmarks.Measuring;
using Embeddings.Benchmarks.Models;
using Embeddings.Benchmarks.Processes;
using Embeddings.Client;
using Embeddings.V1;

namespace Embeddings.Benchmarks.Tracing;

/// <summary>
/// One <c>EmbedFace</c> on an idle server, event by event, in microseconds since the call began: the medians of many calls. It shows where the time of P3 goes.
/// </summary>
internal static class CallTrace
{
    /// <summary>The variable that names the file for the record of the server.</summary>
    public const string FileVariable = "EMBEDDINGS_BENCH_TRACE";

    private const string Begin = "call/begins";
    private const string End = "call/ends";

    // Another event of a call that many others lack is left out.
    private const double LeastShare = 0.8;

    private static readonly (string Name, string Text)[] Known =
    [
        (Begin, "client: the program calls"),
        ("Grpc.Net.Client/CallStart", "client: Grpc.Net.Client starts the call"),
        ("System.Net.Http/RequestStart", "client: HttpClient takes the request"),
        ("System.Net.Http/RequestHeadersStart", "client: begins to write the headers"),
        ("System.Net.Http/RequestHeadersStop", "client: headers are written"),
        ("System.Net.Http/RequestContentStart", "client: begins to serialize and write the message"),
        ("Grpc.Net.Client/MessageSent", "client: the message is serialized and written"),
        ("System.Net.Http/RequestContentStop", "client: the end of the request is written"),
        ("System.Net.Http/ResponseHeadersStart", "client: waits for the response"),
        ("Microsoft.AspNetCore.Hosting/RequestStart", "server: ASP.NET Core has the headers"),
        ("Microsoft-AspNetCore-Server-Kestrel/RequestStart", "server: Kestrel has the headers"),
        ("Grpc.AspNetCore.Server/CallStart", "server: Grpc.AspNetCore starts the method"),
        ("Grpc.AspNetCore.Server/MessageReceived", "server: the message is read and parsed"),
        ("run/begins", "server: admitted and laid out; the run of the model begins"),
        ("run/ends", "server: the run has ended"),
        ("Grpc.AspNetCore.Server/MessageSent", "server: the response is serialized and written"),
        ("Grpc.AspNetCore.Server/CallStop", "server: the method has ended"),
        ("System.Net.Http/ResponseHeadersStop", "client: has the headers of the response"),
        ("Grpc.Net.Client/MessageReceived", "client: the response is read and parsed"),
        ("System.Net.Http/RequestStop", "client: HttpClient has all of the response"),
        ("Grpc.Net.Client/CallStop", "client: Grpc.Net.Client ends the call"),
        (End, "client: the program has the vector"),
    ];

    public static async Task<int> RunAsync(BenchSettings settings)
    {
        Directory.CreateDirectory(settings.Directory);
        var model = BenchModel.MobileFaceNet(settings.Directory);
        var file = Path.Combine(settings.Scratch("trace"), "server.txt");
        var environment = new Dictionary<string, string>
        {
            ["DOTNET_STARTUP_HOOKS"] = Assembly.GetExecutingAssembly().Location,
            [FileVariable] = file,
        };
        using var server = await GrpcProcess.TracedServerAsync(settings.Scratch("traced"), model, environment);
        using var client = new EmbeddingsClient(new EmbeddingsClientOptions { Addresses = [server.Address] });
        using var recorder = new EventRecorder();
        var request = new EmbedFaceRequest { Face = BenchImages.Crop(model, 1) };
        var (warmUp, calls) = (settings.Count(1000, 300), settings.Count(400, 100));
        for (var i = 0; i < warmUp + calls; i++)
        {
            if (i == warmUp)
            {
                recorder.Take();
            }
            recorder.Mark(Begin);
            await client.EmbedFaceAsync(request);
            recorder.Mark(End);
        }
        var recorded = recorder.Take();
        await File.WriteAllTextAsync(file + ".stop", "");
        while (!File.Exists(file))
        {
            await Task.Delay(20);
        }
        var page = Page([.. recorded, .. EventRecorder.Read(file)], calls);
        await File.WriteAllTextAsync(Path.Combine(settings.Directory, "call-trace.md"), page);
        Console.Write(page);
        settings.Clear();
        return 0;
    }

    private static string Page(List<(long At, string Name)> events, int calls)
    {
        events.Sort();
        var times = new Dictionary<string, List<double>>();
        var began = 0L;
        foreach (var (at, name) in events)
        {
            began = name == Begin ? at : began;
            // Events of the server from before the first call.
            if (began != 0)
            {
                var all = times.TryGetValue(name, out var known) ? known : times[name] = [];
                all.Add(Stopwatch.GetElapsedTime(began, at).TotalMicroseconds);
            }
        }
        var page = new StringBuilder("| µs | + | event |\n|---|---|---|\n");
        var last = 0.0;
        foreach (var (name, at) in times.Where(one => one.Value.Count >= LeastShare * calls).Select(static one => (one.Key, Spread.MedianOf(one.Value))).OrderBy(static one => one.Item2))
        {
            if (Known.FirstOrDefault(one => one.Name == name).Text is { } text)
            {
                page.Append(CultureInfo.InvariantCulture, $"| {at:N0} | {at - last:N0} | {text} |\n");
                last = at;
            }
        }
        return page.ToString();
    }
}
