using Qdrant.Client.Grpc;

namespace Embeddings.QdrantDouble.State;

/// <summary>
/// A path into a payload, as Qdrant reads it: keys of letters, digits, - and _, or any text without quote and backslash
/// in quotes; [0] for an item, [] for all.
/// </summary>
internal sealed class JsonPath
{
    private readonly List<string?> _keys = [];
    private readonly List<int> _indexes = [];

    private JsonPath()
    {
    }

    public static JsonPath Parse(string text)
    {
        var path = new JsonPath();
        var at = 0;
        path.Key(text, ref at);
        while (at < text.Length)
        {
            if (text[at] == '.')
            {
                at++;
                path.Key(text, ref at);
            }
            else
            {
                path.Index(text, ref at);
            }
        }
        return path;
    }

    /// <summary>The values at the path.</summary>
    public IEnumerable<Value> Find(IDictionary<string, Value> payload)
    {
        if (!payload.TryGetValue(_keys[0]!, out var first))
        {
            return [];
        }
        IEnumerable<Value> found = [first];
        for (var i = 1; i < _keys.Count; i++)
        {
            var (key, index) = (_keys[i], _indexes[i]);
            found = key is not null
                ? found.Where(value => value.StructValue?.Fields.ContainsKey(key) is true).Select(value => value.StructValue.Fields[key])
                : found.Where(value => value.ListValue is not null).SelectMany(value => Items(value.ListValue, index));
        }
        return found;
    }

    /// <summary>Removes the field at the path, which consists of keys only.</summary>
    public void Remove(IDictionary<string, Value> payload)
    {
        var target = payload;
        foreach (var key in _keys.SkipLast(1))
        {
            if (!target.TryGetValue(key!, out var value) || value.StructValue is null)
            {
                return;
            }
            target = value.StructValue.Fields;
        }
        target.Remove(_keys[^1]!);
    }

    private static IEnumerable<Value> Items(ListValue list, int index) => index < 0 ? list.Values : list.Values.Skip(index).Take(1);

    private void Key(string text, ref int at)
    {
        var start = at;
        if (at < text.Length && text[at] == '"')
        {
            var end = text.IndexOfAny(['"', '\\'], at + 1);
            if (end < 0 || text[end] == '\\')
            {
                throw Bad(text);
            }
            (start, at) = (at + 1, end + 1);
            Add(text[start..end], -1);
            return;
        }
        while (at < text.Length && (char.IsLetterOrDigit(text[at]) || text[at] is '_' or '-'))
        {
            at++;
        }
        Add(at > start ? text[start..at] : throw Bad(text), -1);
    }

    private void Index(string text, ref int at)
    {
        var end = text.IndexOf(']', at);
        if (text[at] != '[' || end < 0)
        {
            throw Bad(text);
        }
        var number = text[(at + 1)..end];
        Add(null, number.Length == 0 ? -1 : int.TryParse(number, out var index) && index >= 0 ? index : throw Bad(text));
        at = end + 1;
    }

    private void Add(string? key, int index)
    {
        _keys.Add(key);
        _indexes.Add(index);
    }

    private static Grpc.Core.RpcException Bad(string text) => Errors.Invalid($"Wrong input: Invalid json path: '{text}'");
}
