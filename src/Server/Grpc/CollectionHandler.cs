using Embeddings.Core.Models;
using Embeddings.Primitives;
using Embeddings.Server.Grpc.Mapping;
using Embeddings.Server.Hosting;
using Embeddings.Server.Security;
using Embeddings.Storage;
using Grpc.Core;

namespace Embeddings.Server.Grpc;

/// <summary>Creates and describes collections, and changes their settings and aliases.</summary>
internal sealed class CollectionHandler(IVectorStore store, ModelCatalog models, ILogger<CollectionHandler> log)
{
    public const int MaxAliases = 1000;
    private const int MaxPageSize = 1000;
    private const int DefaultPageSize = 100;

    public async Task<V1.CreateCollectionResponse> CreateAsync(V1.CreateCollectionRequest request, ServerCallContext context)
    {
        var name = Require.Collection(request.Collection);
        var spec = Spec(name, request);
        var (settings, indexed) = Require.Within("settings", () => (
            CollectionMapping.ToSettings(request.Settings),
            CollectionMapping.ToIndexed(request.Settings?.IndexedAttributes, "indexed_attributes")));
        try
        {
            await store.CreateCollectionAsync(spec, settings, indexed, context.CancellationToken);
        }
        catch (Fault fault) when (fault.Field == "approximate_index")
        {
            throw fault.Within("settings");
        }
        return new() { Collection = await DescribeAsync(name, context) };
    }

    public async Task<V1.GetCollectionResponse> GetAsync(V1.GetCollectionRequest request, ServerCallContext context) =>
        new() { Collection = await DescribeAsync(Require.Collection(request.Collection), context) };

    public async Task<V1.UpdateCollectionResponse> UpdateAsync(V1.UpdateCollectionRequest request, ServerCallContext context)
    {
        var name = Require.Collection(request.Collection);
        var change = CollectionMapping.ToChange(request);
        var add = CollectionMapping.ToIndexed(request.AddIndexedAttributes, "add_indexed_attributes");
        var remove = CollectionMapping.ToIndexed(request.RemoveIndexedAttributes, "remove_indexed_attributes");
        if (change.IsEmpty && add.Count + remove.Count == 0)
        {
            throw Fault.Invalid(
                Reasons.FieldRequired,
                "",
                "One of add_indexed_attributes, remove_indexed_attributes, retention, approximate_index, and "
                + "remove_approximate_index is required.");
        }
        if (add.Intersect(remove).FirstOrDefault() is { } both)
        {
            throw Fault.Invalid(
                Reasons.FieldInvalid,
                "remove_indexed_attributes",
                $"remove_indexed_attributes must not contain attributes that are added; got {both} in both.");
        }
        if (add.Count + remove.Count > 0)
        {
            var existing = await FindAsync(name, context);
            CollectionMapping.RequireCount(
                IndexedAttribute.Change(existing.IndexedAttributes, add, remove).Count, "add_indexed_attributes");
        }
        // First what fails at once if the store does not support it.
        if (!change.IsEmpty)
        {
            await store.UpdateSettingsAsync(name, change, context.CancellationToken);
        }
        if (add.Count + remove.Count > 0)
        {
            await store.SetIndexedAttributesAsync(name, add, remove, context.CancellationToken);
        }
        ServerLog.SettingsChanged(log, context.Method, name);
        return new() { Collection = await DescribeAsync(name, context) };
    }

    public async Task<V1.UpdateAliasesResponse> UpdateAliasesAsync(V1.UpdateAliasesRequest request, ServerCallContext context)
    {
        if (request.Set.Count + request.Delete.Count == 0)
        {
            throw Fault.Invalid(Reasons.FieldRequired, "set", "set or delete is required.");
        }
        foreach (var (count, field) in (ReadOnlySpan<(int, string)>)[(request.Set.Count, "set"), (request.Delete.Count, "delete")])
        {
            if (count > MaxAliases)
            {
                Require.NotEmpty(count, field, MaxAliases);
            }
        }
        List<CollectionAlias> set =
        [
            .. request.Set.Select((alias, i) => new CollectionAlias(
                Require.Collection(alias.Alias_, $"set[{i}].alias"), Require.Collection(alias.Collection, $"set[{i}].collection"))),
        ];
        List<string> delete = [.. request.Delete.Select((alias, i) => Require.Collection(alias, $"delete[{i}]"))];
        if (set.Select(alias => alias.Alias).Concat(delete).GroupBy(alias => alias, StringComparer.Ordinal)
            .FirstOrDefault(same => same.Skip(1).Any()) is { } repeated)
        {
            throw Fault.Invalid(
                Reasons.FieldInvalid, "set", $"set and delete must contain each alias once; got '{repeated.Key}' more than once.");
        }
        await store.UpdateAliasesAsync(set, delete, context.CancellationToken);
        ServerLog.AliasesChanged(
            log, context.Method, string.Join(", ", set.Select(alias => $"{alias.Alias}={alias.Collection}")), string.Join(", ", delete));
        return new();
    }

    public async Task<V1.ListAliasesResponse> ListAliasesAsync(V1.ListAliasesRequest request, ServerCallContext context)
    {
        var size = Require.Count(request.PageSize, "page_size", DefaultPageSize, MaxPageSize);
        var caller = Caller.Of(context.GetHttpContext());
        List<CollectionAlias> aliases =
        [
            .. (await store.AliasesAsync(context.CancellationToken))
                .Where(alias => caller.Covers(alias.Key) && caller.Covers(alias.Value))
                .Select(alias => new CollectionAlias(alias.Key, alias.Value))
                .OrderBy(alias => alias.Alias, StringComparer.Ordinal),
        ];
        var (page, next) = NamePages.Take(
            "aliases",
            aliases,
            alias => alias.Alias,
            alias => new V1.Alias { Alias_ = alias.Alias, Collection = alias.Collection },
            size,
            request.PageToken);
        return new() { Aliases = { page }, NextPageToken = next };
    }

    private CollectionSpec Spec(string name, V1.CreateCollectionRequest request)
    {
        if (request.Model.Length > 0 == (request.Dimension != 0))
        {
            throw Fault.Invalid(Reasons.FieldRequired, "dimension", "Exactly one of dimension and model is required.");
        }
        return request.Model.Length > 0
            ? Collections.SpecFor(name, models.FindEmbedding(request.Model).Info)
            : request.Dimension > 0
                ? new(name, request.Dimension, null)
                : throw Fault.Invalid(
                    Reasons.FieldInvalid, "dimension", $"dimension must be 1 or greater; got {request.Dimension}.")
                    .With(FaultKeys.Actual, request.Dimension);
    }

    private async Task<CollectionInfo> FindAsync(string name, ServerCallContext context) =>
        await store.ReadCollectionAsync(name, context.CancellationToken) ?? throw CollectionFaults.NotFound(name);

    private async Task<V1.Collection> DescribeAsync(string name, ServerCallContext context)
    {
        var info = await FindAsync(name, context);
        var caller = Caller.Of(context.GetHttpContext());
        var aliases = await store.AliasesAsync(context.CancellationToken);
        return CollectionMapping.ToContract(
            info,
            aliases.Where(alias => alias.Value == name && caller.Covers(alias.Key))
                .Select(alias => alias.Key)
                .Order(StringComparer.Ordinal));
    }
}
