using System.IO.Enumeration;

namespace Embeddings.Server.Security;

/// <summary>
/// Patterns of collection names: <c>*</c> stands for any characters, also none, <c>?</c> for one. The case matters.
/// </summary>
internal static class CollectionGlob
{
    public const int MaxLength = 128;

    /// <summary>True if the pattern has only characters of collection names, <c>*</c>, and <c>?</c>.</summary>
    public static bool IsValid(string glob) =>
        glob.Length is > 0 and <= MaxLength && glob.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.' or '*' or '?');

    public static bool Matches(string glob, string collection) =>
        glob == "*" || FileSystemName.MatchesSimpleExpression(glob, collection, ignoreCase: false);
}
