using System.Text.Json;

namespace Embeddings.Cli.Copying;

/// <summary>How far a copy has come, in a small file, so that one that was broken off goes on there.</summary>
internal sealed class CopyState
{
    /// <summary>The mark of a collection that is over.</summary>
    public const string Done = "done";

    private readonly string _path;
    private readonly Dictionary<string, string> _tokens;

    private CopyState(string path, Dictionary<string, string> tokens) => (_path, _tokens) = (path, tokens);

    /// <summary>What the file says; nothing where there is none. <see cref="CliException"/> where it is not such a file.</summary>
    public static CopyState Read(string path)
    {
        try
        {
            return new(path, File.Exists(path) ? JsonSerializer.Deserialize<Dictionary<string, string>>(File.ReadAllText(path)) ?? [] : []);
        }
        catch (JsonException)
        {
            throw new CliException($"'{path}' is not the state of a copy; name another with --state, or remove it to begin anew");
        }
    }

    /// <summary>Where to go on; empty for the beginning, <see cref="Done"/> where nothing is left.</summary>
    public string this[string collection] => _tokens.GetValueOrDefault(collection, "");

    /// <summary>Remembers that all before the token is durable in the target.</summary>
    public void Set(string collection, string nextToken)
    {
        _tokens[collection] = nextToken.Length == 0 ? Done : nextToken;
        // Whole or not at all: a copy may be broken off here too.
        var temporary = _path + ".tmp";
        File.WriteAllText(temporary, JsonSerializer.Serialize(_tokens));
        File.Move(temporary, _path, overwrite: true);
    }

    public void Remove() => File.Delete(_path);
}
