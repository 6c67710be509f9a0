using System.Text;
using System.Text.Json.Nodes;
using Embeddings.Primitives;
using Embeddings.Server.Grpc.Mapping;
using Embeddings.Server.Hosting;
using Embeddings.Storage;
using Google.Protobuf.Collections;
using Grpc.Core;

namespace Embeddings.Server.Grpc.Persons;

/// <summary>
/// Lists and changes persons. Changes in a collection run one after the other; each gets an id, by which it can be undone.
/// </summary>
internal sealed class PersonHandler(IVectorStore store, PersonLocks locks, ResponseBudget budget, ILogger<PersonHandler> log)
{
    public const int MaxPoints = 10_000;
    public const int MaxPersons = 100;
    private const int DefaultPageSize = 100;
    private const int MaxPageSize = 1000;

    public async Task<V1.ListPersonsResponse> ListAsync(V1.ListPersonsRequest request, ServerCallContext context)
    {
        var collection = Require.Collection(request.Collection);
        var size = Require.Count(request.PageSize, "page_size", DefaultPageSize, MaxPageSize);
        var listing = $"persons of {collection}";
        var after = PageToken.Decode(listing, request.PageToken) is { } position ? Encoding.UTF8.GetString(position) : "";
        var total = await store.CountAsync(collection, PointFilter.All, context.CancellationToken);
        var list = new PersonList(size, after);
        await foreach (var page in AllNamedAsync(collection, context.CancellationToken))
        {
            foreach (var face in page)
            {
                list.Add(face);
            }
        }
        var (persons, next) = list.Take();
        var response = new V1.ListPersonsResponse
        {
            Persons = { persons },
            NextPageToken = next is null ? "" : PageToken.Encode(listing, next),
            // Faces may have been added or deleted while the list was read.
            UnnamedCount = Math.Max(0, total - list.NamedCount),
        };
        budget.Lease(context).Hold(response.CalculateSize());
        return response;
    }

    public async Task<V1.NamePersonResponse> NameAsync(V1.NamePersonRequest request, ServerCallContext context)
    {
        var collection = Require.Collection(request.Collection);
        var ids = PointIds(request.PointIds);
        var person = PersonNames.New(request.Person, "person");
        using var turn = await locks.EnterAsync(collection, context.CancellationToken);
        var change = NewChange();
        var changed = await store.UpdateAttributesAsync(
            collection, ids, face => PersonAttributes.Named(face.Payload.Attributes, person, change), context.CancellationToken);
        Changed(context, collection, changed, change);
        return new() { ChangedCount = changed, ChangeId = changed > 0 ? change : "" };
    }

    public async Task<V1.MergePersonsResponse> MergeAsync(V1.MergePersonsRequest request, ServerCallContext context)
    {
        var collection = Require.Collection(request.Collection);
        Require.NotEmpty(request.Persons.Count, "persons", MaxPersons);
        List<string> persons = [.. request.Persons.Select((person, i) => PersonNames.Existing(person, $"persons[{i}]")).Distinct()];
        var into = PersonNames.New(request.Into, "into");
        using var turn = await locks.EnterAsync(collection, context.CancellationToken);
        foreach (var person in persons)
        {
            if (await store.CountAsync(collection, PersonNames.FacesOf(person), context.CancellationToken) == 0)
            {
                throw PersonNames.NotFound(collection, person);
            }
        }
        var change = NewChange();
        var changed = 0L;
        try
        {
            foreach (var person in persons.Where(person => person != into))
            {
                changed += await UpdateAsync(
                    collection,
                    PersonNames.FacesOf(person),
                    attributes => PersonAttributes.PersonOf(attributes) == person
                        ? PersonAttributes.Named(attributes, into, change)
                        : null,
                    context.CancellationToken);
            }
        }
        finally
        {
            // A call that fails may have changed some faces.
            Changed(context, collection, changed, change);
        }
        return new() { ChangedCount = changed, ChangeId = changed > 0 ? change : "" };
    }

    public async Task<V1.SplitPersonResponse> SplitAsync(V1.SplitPersonRequest request, ServerCallContext context)
    {
        var collection = Require.Collection(request.Collection);
        var person = PersonNames.Existing(request.Person, "person");
        var ids = PointIds(request.PointIds);
        var into = request.NewPerson.Length == 0 ? null : PersonNames.New(request.NewPerson, "new_person");
        if (into == person)
        {
            throw Fault.Invalid(Reasons.FieldInvalid, "new_person", $"new_person must differ from person; got '{person}' for both.");
        }
        using var turn = await locks.EnterAsync(collection, context.CancellationToken);
        var change = NewChange();
        var changed = await store.UpdateAttributesAsync(
            collection,
            ids,
            face => PersonAttributes.PersonOf(face.Payload.Attributes) is var actual && actual == person
                ? PersonAttributes.Named(face.Payload.Attributes, into, change)
                : throw PersonNames.Mismatch(collection, face.Id, person, actual),
            context.CancellationToken);
        Changed(context, collection, changed, change);
        return new() { ChangedCount = changed, ChangeId = changed > 0 ? change : "" };
    }

    public async Task<V1.UndoPersonChangeResponse> UndoAsync(V1.UndoPersonChangeRequest request, ServerCallContext context)
    {
        var collection = Require.Collection(request.Collection);
        var change = Require.Text(request.ChangeId, "change_id", Require.MaxIdBytes);
        using var turn = await locks.EnterAsync(collection, context.CancellationToken);
        var last = PersonNames.Having(new(PersonAttributes.Change, Text: change));
        if (await store.CountAsync(collection, last, context.CancellationToken) == 0)
        {
            throw PersonNames.ChangeNotFound(collection, change);
        }
        var restored = 0L;
        try
        {
            restored = await UpdateAsync(
                collection, last, attributes => PersonAttributes.Undone(attributes, change), context.CancellationToken);
        }
        finally
        {
            Changed(context, collection, restored, change);
        }
        // Also those whose history was damaged, which still have the change as their last one.
        var skipped = 0L;
        var changedFaces = PersonNames.Having(new(PersonAttributes.Change, Exists: true));
        await foreach (var page in store.PagesAsync(collection, changedFaces, withVectors: false, context.CancellationToken))
        {
            skipped += page.Count(face =>
                PersonAttributes.ChangeOf(face.Payload.Attributes) == change || PersonAttributes.Keeps(face.Payload.Attributes, change));
        }
        return new() { RestoredCount = restored, SkippedCount = skipped };
    }

    /// <summary>Returns the id of a new change.</summary>
    public static string NewChange() => Guid.NewGuid().ToString("N");

    private static List<string> PointIds(RepeatedField<string> ids)
    {
        Require.NotEmpty(ids.Count, "point_ids", MaxPoints);
        return [.. ids.Select((id, i) => Require.Text(id, $"point_ids[{i}]", Require.MaxPointIdBytes)).Distinct(StringComparer.Ordinal)];
    }

    private IAsyncEnumerable<IReadOnlyList<StoredPoint>> AllNamedAsync(string collection, CancellationToken cancellationToken) =>
        store.PagesAsync(
            collection, PersonNames.Having(new(PersonAttributes.Person, Exists: true)), withVectors: false, cancellationToken);

    // Page by page, so that a person may have any number of faces.
    private async Task<long> UpdateAsync(
        string collection, PointFilter filter, Func<JsonObject?, JsonObject?> change, CancellationToken cancellationToken)
    {
        var changed = 0L;
        await foreach (var page in store.PagesAsync(collection, filter, withVectors: false, cancellationToken))
        {
            changed += await store.UpdateExistingAsync(
                collection, [.. page.Select(face => face.Id)], face => change(face.Payload.Attributes), cancellationToken);
        }
        return changed;
    }

    private void Changed(ServerCallContext context, string collection, long changed, string change)
    {
        if (changed > 0)
        {
            ServerLog.PersonsChanged(log, context.Method, changed, collection, change);
        }
    }
}
