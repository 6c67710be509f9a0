using Embeddings.Primitives;
using Embeddings.Server.Security;
using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace Embeddings.Server.Tests.Security;

public sealed class AccessTableTests
{
    private static readonly IReadOnlyDictionary<string, MethodDescriptor> Methods = new[]
        {
            V1.EmbeddingService.Descriptor.File, V1.IngestService.Descriptor.File, V1.FaceService.Descriptor.File,
            V1.PersonService.Descriptor.File, V1.VectorStoreService.Descriptor.File, V1.ModelService.Descriptor.File,
        }
        .SelectMany(file => file.Services)
        .SelectMany(service => service.Methods)
        .ToDictionary(method => $"/{method.Service.FullName}/{method.Name}");

    [Fact]
    public void Every_method_of_the_contract_has_one_row()
    {
        Assert.True(Methods.Count > 25);
        Assert.Equal(
            Methods.Keys.Order(StringComparer.Ordinal),
            AccessTable.Rows.Select(row => row.Method)
                .Where(method => method.StartsWith("/embeddings.", StringComparison.Ordinal))
                .Order(StringComparer.Ordinal));
    }

    [Fact]
    public void A_server_with_a_method_without_a_row_does_not_start()
    {
        AccessTable.RequireRows(Methods.Keys);
        var error = Assert.Throws<InvalidOperationException>(() => AccessTable.RequireRows([.. Methods.Keys, "/embeddings.v1.NewService/New"]));
        Assert.StartsWith("/embeddings.v1.NewService/New has no row in AccessTable", error.Message, StringComparison.Ordinal);
    }

    /// <summary>Every field that names a collection is found by its row: a new one fails here.</summary>
    [Fact]
    public void Every_field_with_a_collection_is_checked()
    {
        const string Probe = "probe";
        var count = 0;
        foreach (var (name, method) in Methods)
        {
            var row = AccessTable.Find(name)!;
            foreach (var path in CollectionFields(method.InputType, []))
            {
                var request = Create(method.InputType, path, Probe);
                Assert.True(row.CollectionsOf(request).Contains(Probe), $"{name} does not check {string.Join('.', path.Select(field => field.Name))}");
                var caller = new Caller("caller", Access.Manage, ["other-*"], CallerLimits.None);
                Assert.Equal(Reasons.CollectionDenied, Assert.Throws<Fault>(() => row.Require(caller, request)).Reason);
                row.Require(caller with { Collections = ["*"] }, request);
                count++;
            }
        }
        Assert.True(count > 20);
    }

    [Fact]
    public void Only_the_methods_without_a_field_for_it_have_no_collection() =>
        Assert.Equal(
            Methods.Where(method => !CollectionFields(method.Value.InputType, []).Any()).Select(method => method.Key).Order(StringComparer.Ordinal),
            AccessTable.Rows.Where(row => !row.HasCollections && Methods.ContainsKey(row.Method)).Select(row => row.Method).Order(StringComparer.Ordinal));

    private static IEnumerable<FieldDescriptor[]> CollectionFields(MessageDescriptor type, FieldDescriptor[] path)
    {
        foreach (var field in type.Fields.InFieldNumberOrder())
        {
            var isName = field.Name is "collection" or "collections"
                || field.Name.EndsWith("_collection", StringComparison.Ordinal)
                || field.Name.EndsWith("_collections", StringComparison.Ordinal);
            if (field.FieldType == FieldType.String && isName)
            {
                yield return [.. path, field];
            }
            // The items of a message are checked one by one, as messages of their own.
            else if (field.FieldType == FieldType.Message && field.MessageType != type && field.MessageType.File.Package == "embeddings.v1")
            {
                foreach (var inner in CollectionFields(field.MessageType, [.. path, field]))
                {
                    yield return inner;
                }
            }
        }
    }

    // With every flag set: one of them may be the condition under which the field is used.
    private static IMessage Create(MessageDescriptor type, ReadOnlySpan<FieldDescriptor> path, string value)
    {
        var message = type.Parser.ParseFrom([]);
        foreach (var flag in type.Fields.InFieldNumberOrder().Where(field => field is { FieldType: FieldType.Bool, IsRepeated: false }))
        {
            flag.Accessor.SetValue(message, true);
        }
        object inner = path.Length == 1 ? value : Create(path[0].MessageType, path[1..], value);
        if (path[0].IsRepeated)
        {
            ((System.Collections.IList)path[0].Accessor.GetValue(message)).Add(inner);
        }
        else
        {
            path[0].Accessor.SetValue(message, inner);
        }
        return message;
    }
}
