using System.Text.Json;

namespace Embeddings.Tooling.Stores;

/// <summary>Progress of a copy, kept in a small file so that an interrupted copy can resume.</summary>
internal sealed class CopyState
{
    /// <summary>Token of a collection that is complete.</summary>
    public const string Done = "done";

    private readonly string _path;
    private readonly Dictionary<string, string> _tokens;

    private CopyState(string path, Dictionary<string, string> tokens) => (_path, _tokens) = (path, tokens);

    /// <summary>Reads the file. The state is empty if the file does not exist.</summary>
    /// <exception cref="ToolException">The file is not the state of a copy.</exception>
    public static CopyState Read(string path)
    {
        try
        {
            var content = File.Exists(path) ? File.ReadAllText(path) : "{}";
            return new(path, JsonSerializer.Deserialize<Dictionary<string, string>>(content) ?? []);
        }
        catch (JsonException)
        {
            throw new ToolException(
                $"File '{path}' is not the state of a copy. Choose another with --state, or remove it to start over.");
        }
    }

    /// <summary>
    /// Returns the page token to resume from: empty for the beginning, <see cref="Done"/> if nothing is left.
    /// </summary>
    public string this[string collection] => _tokens.GetValueOrDefault(collection, "");

    /// <summary>Records that everything before the token is durable in the target.</summary>
    public void Set(string collection, string nextToken)
    {
        _tokens[collection] = nextToken.Length == 0 ? Done : nextToken;
        // Written completely or not at all: the copy can be interrupted here too.
        var temporary = _path + ".tmp";
        File.WriteAllText(temporary, JsonSerializer.Serialize(_tokens));
        File.Move(temporary, _path, overwrite: true);
    }

    public void Remove() => File.Delete(_path);
}
