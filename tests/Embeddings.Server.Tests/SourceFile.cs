using System.Text.RegularExpressions;
using Embeddings.Tests;

namespace Embeddings.Server.Tests;

/// <summary>A C# file: its path below the folder that was read, with forward slashes, and its text.</summary>
public sealed partial record SourceFile(string Path, string Text)
{
    /// <summary>The folder at the top of the path; empty for a file beside the folders.</summary>
    public string Folder => Path.Contains('/', StringComparison.Ordinal) ? Path[..Path.IndexOf('/', StringComparison.Ordinal)] : "";

    public int Lines => Text.Count(character => character == '\n') + (Text.Length == 0 || Text.EndsWith('\n') ? 0 : 1);

    /// <summary>The text without what may mention anything: comments and string literals.</summary>
    public string Code => CommentOrText().Replace(Text, " ");

    /// <summary>All source files under a folder of the repository, what the build makes left out.</summary>
    public static IReadOnlyList<SourceFile> Under(string folder)
    {
        var root = System.IO.Path.Combine(Repository.Root, folder);
        return [.. Directory.EnumerateFiles(root, "*.cs", SearchOption.AllDirectories)
            .Select(path => new SourceFile(System.IO.Path.GetRelativePath(root, path).Replace('\\', '/'), File.ReadAllText(path)))
            .Where(file => !file.Path.Split('/').Any(part => part is "bin" or "obj"))];
    }

    // Raw strings, comments, verbatim strings, plain strings (one line, escapes passed over), characters.
    [GeneratedRegex("""""
        (?<raw>"{3,})[\s\S]*?\k<raw>|//[^\n]*|/\*[\s\S]*?\*/|\$?@\$?"(?:[^"]|"")*"|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)+'
        """"")]
    private static partial Regex CommentOrText();
}
