using System.Collections.Concurrent;
using Google.Protobuf;
using Qdrant.Client.Grpc;

namespace Embeddings.QdrantDouble.State;

/// <summary>The collections and the journal of their changes.</summary>
internal sealed class Database : IDisposable
{
    private const byte Created = 1;
    private const byte Updated = 2;
    private const byte Dropped = 3;
    private const byte Upserted = 4;
    private const byte Deleted = 5;
    private const byte Indexed = 6;
    private const byte Unindexed = 7;
    private const byte Patched = 8;
    private const byte Aliased = 9;

    private readonly ConcurrentDictionary<string, Collection> _collections = new(StringComparer.Ordinal);
    private readonly DoubleOptions _options;
    private volatile IReadOnlyDictionary<string, string> _aliases = new Dictionary<string, string>();
    private readonly Journal _journal;

    public Database(DoubleOptions options)
    {
        _options = options;
        _journal = new(options.File, Replay);
    }

    public IEnumerable<string> Names => _collections.Keys.Order(StringComparer.Ordinal);

    /// <summary>Collections by their aliases.</summary>
    public IReadOnlyDictionary<string, string> Aliases => _aliases;

    public Collection? Find(string name) => _collections.GetValueOrDefault(_aliases.GetValueOrDefault(name, name));

    public Collection Require(string name) => Find(name) ?? throw Errors.NoCollection(name);

    public void Create(CreateCollection request)
    {
        if (_options.Old)
        {
            request.Metadata.Clear();
        }
        request.StrictModeConfig ??= _options.StrictMode;
        if (_aliases.ContainsKey(request.CollectionName) || !_collections.TryAdd(request.CollectionName, new(request)))
        {
            throw Errors.CollectionExists(request.CollectionName);
        }
        _journal.Write(Created, request);
    }

    public void Update(UpdateCollection request)
    {
        var collection = Require(request.CollectionName);
        if (!_options.Old)
        {
            lock (collection.Config)
            {
                collection.Config.Metadata.MergeFrom(request.Metadata);
                collection.Config.StrictModeConfig = request.StrictModeConfig ?? collection.Config.StrictModeConfig;
            }
        }
        _journal.Write(Updated, request);
    }

    public bool Drop(DeleteCollection request)
    {
        _journal.Write(Dropped, request);
        return Remove(request.CollectionName);
    }

    public void Update(ChangeAliases request)
    {
        if (request.Actions.Select(action => action.CreateAlias).FirstOrDefault(create =>
            create is not null && _collections.ContainsKey(create.AliasName)) is { } taken)
        {
            throw Errors.CollectionExists(taken.AliasName);
        }
        foreach (var create in request.Actions.Select(action => action.CreateAlias).Where(create => create is not null))
        {
            Require(create.CollectionName);
        }
        Apply(request);
        _journal.Write(Aliased, request);
    }

    public void Index(CreateFieldIndexCollection request)
    {
        Require(request.CollectionName).Indexes[request.FieldName] = request.FieldType;
        _journal.Write(Indexed, request);
    }

    public void Unindex(DeleteFieldIndexCollection request)
    {
        Require(request.CollectionName).Indexes.TryRemove(request.FieldName, out _);
        _journal.Write(Unindexed, request);
    }

    public void Upsert(UpsertPoints request, IReadOnlyCollection<Point> points)
    {
        Require(request.CollectionName).Put(points);
        _journal.Write(Upserted, request);
    }

    public void Delete(string collection, IReadOnlyCollection<PointKey> keys)
    {
        Require(collection).Remove(keys);
        var ids = new PointsIdsList { Ids = { keys.Select(key => key.ToId()) } };
        _journal.Write(Deleted, new DeletePoints { CollectionName = collection, Points = new() { Points = ids } });
    }

    public void Patch(UpdateBatchPoints request)
    {
        PayloadPatch.Apply(Require(request.CollectionName), request);
        _journal.Write(Patched, request);
    }

    public static Point ToPoint(Collection collection, PointStruct point)
    {
        var vector = Dense(point);
        return new(PointKey.Of(point.Id), collection.IsCosine ? Point.Normalize(vector) : vector, point.Payload);
    }

    public static float[] Dense(PointStruct point) => [.. point.Vectors?.Vector?.Dense?.Data ?? []];

    public void Dispose() => _journal.Dispose();

    private bool Remove(string name)
    {
        _aliases = _aliases.Where(alias => alias.Value != name).ToDictionary();
        return _collections.TryRemove(name, out _);
    }

    private void Apply(ChangeAliases request)
    {
        var aliases = _aliases.ToDictionary();
        foreach (var action in request.Actions)
        {
            switch (action.ActionCase)
            {
                case AliasOperations.ActionOneofCase.CreateAlias:
                    aliases[action.CreateAlias.AliasName] = action.CreateAlias.CollectionName;
                    break;
                case AliasOperations.ActionOneofCase.DeleteAlias:
                    aliases.Remove(action.DeleteAlias.AliasName);
                    break;
            }
        }
        _aliases = aliases;
    }

    private void Replay(byte kind, byte[] message)
    {
        switch (kind)
        {
            case Created:
                var created = CreateCollection.Parser.ParseFrom(message);
                _collections[created.CollectionName] = new(created);
                break;
            case Updated:
                var updated = UpdateCollection.Parser.ParseFrom(message);
                Find(updated.CollectionName)?.Config.Metadata.MergeFrom(updated.Metadata);
                break;
            case Dropped:
                Remove(DeleteCollection.Parser.ParseFrom(message).CollectionName);
                break;
            case Aliased:
                Apply(ChangeAliases.Parser.ParseFrom(message));
                break;
            case Indexed:
                var indexed = CreateFieldIndexCollection.Parser.ParseFrom(message);
                Require(indexed.CollectionName).Indexes[indexed.FieldName] = indexed.FieldType;
                break;
            case Unindexed:
                var unindexed = DeleteFieldIndexCollection.Parser.ParseFrom(message);
                Require(unindexed.CollectionName).Indexes.TryRemove(unindexed.FieldName, out _);
                break;
            case Upserted:
                var upserted = UpsertPoints.Parser.ParseFrom(message);
                var collection = Require(upserted.CollectionName);
                collection.Put(upserted.Points.Select(point => ToPoint(collection, point)));
                break;
            case Deleted:
                var deleted = DeletePoints.Parser.ParseFrom(message);
                Find(deleted.CollectionName)?.Remove(deleted.Points.Points.Ids.Select(PointKey.Of));
                break;
            case Patched:
                var patched = UpdateBatchPoints.Parser.ParseFrom(message);
                PayloadPatch.Apply(Require(patched.CollectionName), patched);
                break;
            default:
                throw new InvalidDataException($"The journal has a record of the unknown kind {kind}.");
        }
    }
}
