using System.Text.Json.Nodes;

namespace Embeddings.Deployment.Tests;

/// <summary>The manifests of <c>deploy/kubernetes</c>.</summary>
public sealed class KubernetesTests : IDisposable
{
    private static readonly string[] Workloads = ["Deployment", "StatefulSet"];

    private readonly TempFolder _folder = new();

    public static TheoryData<string> Variants => DeployFolder.Variants;

    public void Dispose() => _folder.Dispose();

    [ToolFact("KUBECONFORM")]
    public async Task Manifests_conform_to_the_schemas_of_Kubernetes_and_a_misspelled_field_does_not()
    {
        Directory.CreateDirectory(_folder.File("schemas"));
        var schemas = KubernetesSchemas.Write(_folder.File("schemas"));
        var manifests = Variants.SelectMany(variant => Resources(variant.Data).Select(file => DeployFolder.PathOf("kubernetes", variant.Data, file))).ToList();
        var documents = Variants.Sum(variant => Manifests(variant.Data).Count);
        var (code, output) = await ConformAsync(schemas, manifests);
        Assert.True(code == 0, output);
        Assert.Contains($"{documents} resources found", output, StringComparison.Ordinal);
        Assert.Contains($"Valid: {documents}, Invalid: 0, Errors: 0, Skipped: 0", output, StringComparison.Ordinal);

        // What it must find: a field that does not exist, a value of another type, and a required field that is missing.
        var good = DeployFolder.Read("kubernetes", "embedded", "embeddings.yaml");
        foreach (var (old, wrong) in new[]
        {
            ("failureThreshold: 6", "failureTreshold: 6"),
            ("containerPort: 50051", "containerPort: fifty"),
            ("serviceName: embeddings", "serviceNames: embeddings"),
        })
        {
            Assert.Contains(old, good, StringComparison.Ordinal);
            var bad = _folder.Write("bad.yaml", good.Replace(old, wrong, StringComparison.Ordinal));
            (code, output) = await ConformAsync(schemas, [bad]);
            Assert.True(code == 1 && output.Contains("Invalid: 1,", StringComparison.Ordinal), $"{wrong}: {output}");
        }
    }

    [Theory, MemberData(nameof(Variants))]
    public void The_kustomization_lists_every_file(string variant)
    {
        var files = Directory.GetFiles(DeployFolder.PathOf("kubernetes", variant)).Select(file => Path.GetFileName(file));
        Assert.Equal(files.Where(file => file != "kustomization.yaml").Order(), Resources(variant).Order());

        var kustomization = Kustomization(variant);
        Assert.Equal(["apiVersion", "kind", "namespace", "resources", "images"], kustomization.AsObject().Select(field => field.Key));
        Assert.Equal(("kustomize.config.k8s.io/v1beta1", "Kustomization"), (Text(kustomization["apiVersion"]), Text(kustomization["kind"])));
        // Its images are those of the pods.
        var images = Containers(variant).Select(container => Text(container["image"])).ToList();
        var image = Assert.Single(kustomization["images"]!.AsArray())!;
        Assert.Contains($"{Text(image["name"])}:{Text(image["newTag"])}", images);
    }

    [Theory, MemberData(nameof(Variants))]
    public void Pods_meet_the_restricted_standard_and_have_probes_and_resources(string variant)
    {
        Assert.All(Pods(variant), pod =>
        {
            Assert.False(pod["automountServiceAccountToken"]!.GetValue<bool>());
            Assert.True(pod["securityContext"]!["runAsNonRoot"]!.GetValue<bool>());
            Assert.Equal("RuntimeDefault", Text(pod["securityContext"]!["seccompProfile"]!["type"]));
        });
        Assert.All(Containers(variant), container =>
        {
            var security = container["securityContext"]!;
            Assert.True(security["readOnlyRootFilesystem"]!.GetValue<bool>());
            Assert.False(security["allowPrivilegeEscalation"]!.GetValue<bool>());
            Assert.Equal("""{"drop":["ALL"]}""", security["capabilities"]!.ToJsonString());
            Assert.Equal("IfNotPresent", Text(container["imagePullPolicy"]));
            Assert.NotNull(container["startupProbe"]);
            Assert.NotNull(container["readinessProbe"]);
            Assert.NotNull(container["livenessProbe"]);
            Assert.NotNull(container["resources"]!["requests"]!["cpu"]);
            Assert.NotNull(container["resources"]!["requests"]!["memory"]);
            Assert.NotNull(container["resources"]!["limits"]!["memory"]);
        });
        var place = Assert.Single(Manifests(variant), manifest => Text(manifest["kind"]) == "Namespace");
        Assert.Equal("restricted", Text(place["metadata"]!["labels"]!["pod-security.kubernetes.io/enforce"]));
        Assert.Equal(Text(Kustomization(variant)["namespace"]), Text(place["metadata"]!["name"]));
    }

    [Theory, MemberData(nameof(Variants))]
    public void Workloads_have_a_disruption_budget_a_network_policy_and_are_spread(string variant)
    {
        var manifests = Manifests(variant);
        foreach (var workload in manifests.Where(manifest => Workloads.Contains(Text(manifest["kind"]))))
        {
            var template = workload["spec"]!["template"]!;
            var labels = template["metadata"]!["labels"]!.ToJsonString();
            bool Selects(string kind, Func<JsonNode, JsonNode?> selector) =>
                manifests.Any(manifest => Text(manifest["kind"]) == kind && selector(manifest["spec"]!)?.ToJsonString() == labels);

            Assert.Equal(labels, workload["spec"]!["selector"]!["matchLabels"]!.ToJsonString());
            Assert.True(Selects("Service", spec => spec["selector"]));
            Assert.True(Selects("PodDisruptionBudget", spec => spec["selector"]!["matchLabels"]));
            Assert.True(Selects("NetworkPolicy", spec => spec["podSelector"]!["matchLabels"]));
            if (workload["spec"]!["replicas"]?.GetValue<int>() != 1)
            {
                var spread = template["spec"]!["topologySpreadConstraints"]!.AsArray();
                Assert.Equal(["kubernetes.io/hostname", "topology.kubernetes.io/zone"], spread.Select(item => Text(item!["topologyKey"])));
                Assert.All(spread, item => Assert.Equal(labels, item!["labelSelector"]!["matchLabels"]!.ToJsonString()));
            }
        }
    }

    [Theory, MemberData(nameof(Variants))]
    public void Every_volume_is_mounted_and_the_servers_models_are(string variant)
    {
        foreach (var workload in Manifests(variant).Where(manifest => Workloads.Contains(Text(manifest["kind"]))))
        {
            var pod = workload["spec"]!["template"]!["spec"]!;
            var container = Assert.Single(pod["containers"]!.AsArray())!;
            var mounts = container["volumeMounts"]!.AsArray();
            IEnumerable<string> volumes =
            [
                .. pod["volumes"]!.AsArray().Select(volume => Text(volume!["name"])),
                .. (workload["spec"]!["volumeClaimTemplates"]?.AsArray() ?? []).Select(claim => Text(claim!["metadata"]!["name"])),
            ];
            Assert.Equal(volumes.Order(), mounts.Select(mount => Text(mount!["name"])).Distinct().Order());
            if (Text(container["name"]) == "embeddings")
            {
                var directory = container["env"]!.AsArray().Single(variable => Text(variable!["name"]) == "EMBEDDINGS_Models__Directories__0")!;
                Assert.Contains(Text(directory["value"]), mounts.Select(mount => Text(mount!["mountPath"])));
            }
        }
    }

    [Theory, MemberData(nameof(Variants))]
    public void The_readme_shows_how_to_create_every_secret(string variant)
    {
        var readme = DeployFolder.Read("README.md");
        var secrets = Containers(variant).SelectMany(container => container["env"]!.AsArray())
            .Select(variable => variable!["valueFrom"]?["secretKeyRef"]).OfType<JsonNode>().ToList();
        Assert.Equal(variant == "stateless", secrets.Count > 0);
        Assert.All(secrets, secret => Assert.Contains(
            $"create secret generic {Text(secret["name"])} --from-literal={Text(secret["key"])}=", readme, StringComparison.Ordinal));

        // Secrets that are mounted, with the files that the settings name.
        foreach (var pod in Pods(variant))
        {
            var container = Assert.Single(pod["containers"]!.AsArray())!;
            foreach (var volume in pod["volumes"]!.AsArray().Where(volume => volume!["secret"] is not null))
            {
                var folder = Text(container["volumeMounts"]!.AsArray().Single(mount => Text(mount!["name"]) == Text(volume!["name"]))!["mountPath"]);
                var files = container["env"]!.AsArray().Select(variable => variable!["value"]?.ToString() ?? "")
                    .Where(value => value.StartsWith($"{folder}/", StringComparison.Ordinal)).Select(value => value[(folder.Length + 1)..]).ToList();
                Assert.NotEmpty(files);
                var line = Assert.Single(readme.Split('\n'), line => line.Contains($"create secret generic {Text(volume!["secret"]!["secretName"])} ", StringComparison.Ordinal));
                Assert.All(files, file => Assert.Contains($"--from-file={file}", line, StringComparison.Ordinal));
            }
        }
    }

    [Theory, MemberData(nameof(Variants))]
    public void Servers_use_TLS_and_keys_and_their_probes_use_HTTPS(string variant)
    {
        var server = Assert.Single(Containers(variant), container => Text(container["name"]) == "embeddings");
        var names = server["env"]!.AsArray().Select(variable => Text(variable!["name"])).ToList();
        Assert.Contains("EMBEDDINGS_Server__Tls__CertificateFile", names);
        Assert.Contains("EMBEDDINGS_Security__KeysFile", names);
        Assert.DoesNotContain("EMBEDDINGS_Server__AllowInsecure", names);
        foreach (var probe in (string[])["startupProbe", "readinessProbe", "livenessProbe"])
        {
            Assert.Equal("HTTPS", Text(server[probe]!["httpGet"]!["scheme"]));
        }
    }

    private static Task<(int Code, string Output)> ConformAsync(string schemas, IEnumerable<string> files) =>
        ChildProcess.RunAsync(Tool.Path("KUBECONFORM"), ["-strict", "-summary", "-schema-location", schemas, .. files]);

    private static JsonNode Kustomization(string variant) =>
        Assert.Single(DeployFolder.Documents("kubernetes", variant, "kustomization.yaml"));

    private static IEnumerable<string> Resources(string variant) =>
        Kustomization(variant)["resources"]!.AsArray().Select(Text);

    private static List<JsonNode> Manifests(string variant) =>
        [.. Resources(variant).SelectMany(file => DeployFolder.Documents("kubernetes", variant, file))];

    private static IReadOnlyList<JsonNode> Pods(string variant)
    {
        var pods = Manifests(variant).Where(manifest => Workloads.Contains(Text(manifest["kind"]))).Select(workload => workload["spec"]!["template"]!["spec"]!).ToList();
        Assert.NotEmpty(pods);
        return pods;
    }

    private static List<JsonNode> Containers(string variant) => [.. Pods(variant).SelectMany(pod => pod["containers"]!.AsArray()).Select(container => container!)];

    private static string Text(JsonNode? node) => node!.ToString();
}
