using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Embeddings.Deployment.Tests;

/// <summary><c>deploy/compose.yaml</c> and the files that it mounts.</summary>
public sealed partial class ComposeTests
{
    private static readonly JsonNode Compose = Assert.Single(DeployFolder.Documents("compose.yaml"));

    private static readonly JsonObject Services = Compose["services"]!.AsObject();

    [Fact]
    public void Services_are_confined_and_published_on_the_loopback_address_only() => Assert.All(Services, service =>
    {
        Assert.Contains("no-new-privileges:true", Strings(service.Value!["security_opt"]));
        Assert.All(Strings(service.Value["ports"]), port => Assert.StartsWith("127.0.0.1:", port, StringComparison.Ordinal));
        if (service.Key.StartsWith("embeddings", StringComparison.Ordinal))
        {
            Assert.True(service.Value["read_only"]!.GetValue<bool>());
            Assert.Equal(["ALL"], Strings(service.Value["cap_drop"]));
            Assert.Equal("/models", service.Value["environment"]!["EMBEDDINGS_Models__Directories__0"]!.ToString());
            Assert.Contains("./models:/models:ro", Strings(service.Value["volumes"]));
        }
    });

    [Fact]
    public void Mounted_files_and_named_volumes_exist()
    {
        var sources = Services.SelectMany(service => Strings(service.Value!["volumes"])).Select(volume => volume.Split(':')[0]).ToList();
        var files = sources.Where(source => source.StartsWith("./compose/", StringComparison.Ordinal)).ToList();
        Assert.All(files, source => Assert.True(Path.Exists(DeployFolder.PathOf(source)), source));
        Assert.Equal(Compose["volumes"]!.AsObject().Select(volume => volume.Key).Order(), sources.Where(source => source[0] != '.').Order());

        // Every file of compose/ is mounted, by itself or with its folder.
        var mounted = files.Select(file => DeployFolder.PathOf(file)).ToList();
        var all = Directory.GetFiles(DeployFolder.PathOf("compose"), "*", SearchOption.AllDirectories);
        Assert.All(all, file => Assert.Contains(mounted, source => Path.GetFullPath(file).StartsWith(Path.GetFullPath(source), StringComparison.Ordinal)));
    }

    [Fact]
    public void Servers_use_TLS_and_keys_whose_files_the_readme_creates()
    {
        var readme = DeployFolder.Read("README.md");
        var secrets = Compose["secrets"]!.AsObject();
        Assert.All(secrets, secret =>
        {
            var file = secret.Value!["file"]!.ToString();
            Assert.Equal($"./secrets/{secret.Key}", file);
            Assert.Matches($@"(-out|-keyout|--file) (deploy/secrets/)?{Regex.Escape(secret.Key)}\b", readme);
        });
        var servers = Services.Where(service => service.Key.StartsWith("embeddings", StringComparison.Ordinal)).ToList();
        Assert.Equal(2, servers.Count);
        Assert.All(servers, server =>
        {
            var environment = server.Value!["environment"]!;
            string[] files =
            [
                environment["EMBEDDINGS_Server__Tls__CertificateFile"]!.ToString(),
                environment["EMBEDDINGS_Server__Tls__KeyFile"]!.ToString(),
                environment["EMBEDDINGS_Security__KeysFile"]!.ToString(),
            ];
            Assert.Equal(files, Strings(server.Value["secrets"]).Select(name => $"/run/secrets/{name}"));
            Assert.Equal(secrets.Select(secret => secret.Key), Strings(server.Value["secrets"]));
            Assert.Null(environment["EMBEDDINGS_Server__AllowInsecure"]);
        });
    }

    [Fact]
    public void Metrics_reach_Grafana_through_services_that_exist()
    {
        var collector = Assert.Single(DeployFolder.Documents("compose", "otel-collector.yaml"));
        var pipeline = Assert.Single(collector["service"]!["pipelines"]!.AsObject());
        Assert.Equal("metrics", pipeline.Key);
        Assert.All(Strings(pipeline.Value!["receivers"]), name => Assert.NotNull(collector["receivers"]![name]));
        Assert.All(Strings(pipeline.Value["exporters"]), name => Assert.NotNull(collector["exporters"]![name]));

        // Each address names a service of compose, and the ports of the collector fit together.
        var prometheus = Assert.Single(DeployFolder.Documents("compose", "prometheus.yaml"));
        var source = Assert.Single(Assert.Single(DeployFolder.Documents("compose", "grafana", "datasources.yaml"))["datasources"]!.AsArray())!;
        var endpoint = new Uri(Services["embeddings-1"]!["environment"]!["EMBEDDINGS_Telemetry__OtlpEndpoint"]!.ToString());
        var targets = prometheus["scrape_configs"]!.AsArray().SelectMany(job => job!["static_configs"]!.AsArray()).SelectMany(group => Strings(group!["targets"])).ToList();
        Assert.Contains($"otel-collector:{Port(collector["exporters"]!["prometheus"]!["endpoint"]!)}", targets);
        Assert.Equal($"otel-collector:{Port(collector["receivers"]!["otlp"]!["protocols"]!["grpc"]!["endpoint"]!)}", endpoint.Authority);
        string[] hosts = [endpoint.Host, new Uri(source["url"]!.ToString()).Host, .. targets.Select(target => target.Split(':')[0])];
        Assert.All(hosts, host => Assert.True(Services.ContainsKey(host), host));

        // The dashboard uses this data source and lies in the folder that Grafana reads.
        var provider = Assert.Single(Assert.Single(DeployFolder.Documents("compose", "grafana", "dashboards.yaml"))["providers"]!.AsArray())!;
        Assert.Contains($"./compose/grafana/dashboards:{provider["options"]!["path"]}:ro", Strings(Services["grafana"]!["volumes"]));
        Assert.All(Dashboard.Panels, panel => Assert.Equal(source["uid"]!.ToString(), panel["datasource"]!["uid"]!.ToString()));
    }

    [Fact]
    public void The_dashboard_uses_metrics_and_tags_of_the_observability_page()
    {
        var page = File.ReadAllText(Path.Combine(Repository.Root, "docs", "observability.md"));
        var metrics = Metric().Matches(page).SelectMany(row => PrometheusNames(row.Groups[1].Value, row.Groups[2].Value, row.Groups[3].Value)).ToHashSet();
        var tags = Tag().Matches(page).Select(row => row.Groups[1].Value).Concat(["instance", "le"]).ToHashSet();
        var used = Dashboard.Expressions.SelectMany(expression => Name().Matches(expression)).Select(match => match.Value).ToList();
        Assert.True(used.Distinct().Count() >= 4, "the dashboard shows too few metrics");
        Assert.All(used, name => Assert.True(metrics.Contains(name), $"{name} is not in docs/observability.md"));
        Assert.All(Dashboard.Expressions.SelectMany(expression => Labels().Matches(expression))
            .SelectMany(match => match.Groups[1].Value.Split(", ").Append(match.Groups[2].Value)).Where(label => label.Length > 0),
            label => Assert.True(tags.Contains(label), $"the tag {label} is not in docs/observability.md"));
    }

    // The names that the collector's exporter for Prometheus makes of an instrument and its unit.
    private static IEnumerable<string> PrometheusNames(string name, string instrument, string unit)
    {
        var stem = name.Replace('.', '_') + (unit == "s" ? "_seconds" : unit == "By" ? "_bytes" : "");
        return instrument switch
        {
            "histogram" => [$"{stem}_bucket", $"{stem}_sum", $"{stem}_count"],
            "counter" => [$"{stem}_total"],
            _ => [stem],
        };
    }

    private static IEnumerable<string> Strings(JsonNode? list) => (list?.AsArray() ?? []).Select(item => item!.ToString());

    private static string Port(JsonNode endpoint) => endpoint.ToString().Split(':')[1];

    [GeneratedRegex(@"^\| `(embeddings[\w.]+)` \| (\w+) \| `([^`]+)` \|", RegexOptions.Multiline)]
    private static partial Regex Metric();

    [GeneratedRegex(@"^\| `(\w+)` \| [^|]+ \|$", RegexOptions.Multiline)]
    private static partial Regex Tag();

    [GeneratedRegex(@"\bembeddings_\w+")]
    private static partial Regex Name();

    [GeneratedRegex(@"\bby \(([^)]+)\)|\{(\w+)!?=")]
    private static partial Regex Labels();

    private static class Dashboard
    {
        public static IReadOnlyList<JsonNode> Panels { get; } =
            [.. JsonNode.Parse(DeployFolder.Read("compose", "grafana", "dashboards", "embeddings.json"))!["panels"]!.AsArray()!];

        public static IReadOnlyList<string> Expressions { get; } =
            [.. Panels.SelectMany(panel => panel["targets"]!.AsArray()).Select(target => target!["expr"]!.ToString())];
    }
}
