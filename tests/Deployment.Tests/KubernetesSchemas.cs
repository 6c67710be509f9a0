using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Schema;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using k8s.Models;

namespace Embeddings.Deployment.Tests;

/// <summary>
/// JSON schemas of Kubernetes resources, made from the types of the official .NET client, whose generator reads the API's
/// own description. Unknown fields are errors.
/// </summary>
internal static class KubernetesSchemas
{
    private static readonly JsonSerializerOptions Json = new()
    {
        TypeInfoResolver = new DefaultJsonTypeInfoResolver(),
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    };

    /// <summary>Writes the schemas of all resources under the names that kubeconform looks for.</summary>
    /// <returns>The schema location for kubeconform.</returns>
    public static string Write(string folder)
    {
        foreach (var type in typeof(V1Pod).Assembly.GetExportedTypes())
        {
            if (type.GetCustomAttribute<KubernetesEntityAttribute>() is { Kind: var kind, Group: var group, ApiVersion: var version })
            {
                var suffix = group.Length == 0 ? version : $"{group.Split('.')[0]}-{version}";
                File.WriteAllText(Path.Combine(folder, $"{kind}-{suffix}.json".ToLowerInvariant()), Schema(type).ToJsonString());
            }
        }
        return Path.Combine(folder, "{{ .ResourceKind }}{{ .KindSuffix }}.json");
    }

    private static JsonNode Schema(Type type) => Json.GetJsonSchemaAsNode(type, new()
    {
        // Types with a converter of their own have no schema; kubeconform does not read the schema `true`.
        TransformSchemaNode = (context, schema) => context.TypeInfo.Type switch
        {
            { Name: nameof(IntOrString) } => new JsonObject { ["type"] = new JsonArray("integer", "string") },
            { Name: nameof(ResourceQuantity) } => new JsonObject { ["type"] = new JsonArray("integer", "number", "string") },
            _ => schema as JsonObject ?? [],
        },
    });
}
