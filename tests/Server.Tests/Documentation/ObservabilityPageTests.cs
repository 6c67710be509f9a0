using System.Diagnostics.Metrics;
using System.Reflection;
using Embeddings.Client;
using Embeddings.Core;
using Embeddings.Server.Hosting;
using Grpc.AspNetCore.HealthChecks;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Embeddings.Server.Tests.Documentation;

/// <summary>docs/observability.md lists every metric, health name, and log event.</summary>
public sealed class ObservabilityPageTests
{
    private const BindingFlags Any = BindingFlags.Static | BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic;

    private static readonly ILookup<string, string[]> Rows =
        Page.Tables("observability.md").ToLookup(row => row.Heading, row => row.Cells);

    [Fact]
    public async Task The_page_lists_every_metric_with_instrument_and_unit()
    {
        await using var server = CreateServer();
        var factory = server.Services.GetRequiredService<IMeterFactory>();
        List<string> published = [];
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, _) =>
            {
                if (ReferenceEquals(instrument.Meter.Scope, factory) && instrument.Meter.Name == EmbeddingMetrics.MeterName)
                {
                    published.Add($"`{instrument.Name}` {Kind(instrument)} `{instrument.Unit}`");
                }
            },
        };
        listener.Start();
        _ = server.Services.GetRequiredService<EmbeddingMetrics>();
        Assert.NotEmpty(published);
        var listed = Rows["Metrics"].Where(cells => cells.Length == 5).Select(cells => string.Join(' ', cells[..3]));
        Assert.Equal(published.Order(StringComparer.Ordinal), listed.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task The_page_lists_every_health_name()
    {
        await using var server = CreateServer();
        var health = server.Services.GetRequiredService<IOptions<GrpcHealthChecksOptions>>().Value;
        var names = health.Services.Select(service => service.Name);
        var listed = Rows["Health"]
            .Select(cells => cells[0] == "(empty)" ? "" : Page.Code(cells[0]))
            .Where(name => name != "model/NAME");
        Assert.Equal(names.Order(StringComparer.Ordinal), listed.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void The_page_lists_every_log_event()
    {
        List<(LoggerMessageAttribute Log, string Project, string Row)> events =
        [
            .. from assembly in Assemblies()
               from type in assembly.GetTypes()
               from method in type.GetMethods(Any)
               let log = method.GetCustomAttribute<LoggerMessageAttribute>()
               where log is not null
               let project = assembly.GetName().Name!
               let name = log.EventName ?? method.Name
               select (log, project, $"| {log.EventId} | `{name}` | {log.Level} | {project} | {log.Message} |\n"),
        ];
        Assert.True(events.Count > 20);
        Assert.Equal(events.Count, events.DistinctBy(entry => entry.Log.EventId).Count());

        const string Begin = "<!-- events -->\n";
        const string End = "<!-- /events -->\n";
        const string Header = "\n| id | event | level | project | message |\n|---|---|---|---|---|\n";
        var text = Page.Text("docs/observability.md");
        var head = text[..(text.IndexOf(Begin, StringComparison.Ordinal) + Begin.Length)];
        var tail = text[text.IndexOf(End, StringComparison.Ordinal)..];
        var rows = events
            .OrderBy(entry => entry.Project, StringComparer.Ordinal)
            .ThenBy(entry => entry.Log.EventId)
            .Select(entry => entry.Row);
        Page.IsGenerated("docs/observability.md", $"{head}{Header}{string.Concat(rows)}\n{tail}");
    }

    private static WebApplication CreateServer() =>
        EmbeddingsServer.Create(["--Models:UseDefaults=false", "--Store:Embedded:Directory=unused"]);

    private static string Kind(Instrument instrument) => instrument.GetType().Name.Split('`')[0] switch
    {
        "Histogram" => "histogram",
        "Counter" or "ObservableCounter" => "counter",
        "Gauge" or "ObservableGauge" => "gauge",
        var other => other,
    };

    // The server, the client, and the projects that they use.
    private static IEnumerable<Assembly> Assemblies()
    {
        HashSet<string> seen = [];
        Queue<Assembly> next = new([typeof(EmbeddingsServer).Assembly, typeof(EmbeddingsClient).Assembly]);
        while (next.TryDequeue(out var assembly))
        {
            if (seen.Add(assembly.FullName!))
            {
                yield return assembly;
                assembly.GetReferencedAssemblies()
                    .Where(name => name.Name!.StartsWith("Embeddings.", StringComparison.Ordinal))
                    .ToList()
                    .ForEach(name => next.Enqueue(Assembly.Load(name)));
            }
        }
    }
}
