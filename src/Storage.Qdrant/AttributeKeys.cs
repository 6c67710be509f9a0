using System.Text;

namespace Embeddings.Storage.Qdrant;

/// <summary>
/// The user's field names as keys in Qdrant. Its JSON paths take any name in quotes but one with a quote or a backslash in it, so these, and the percent
/// sign that marks them, are kept as %22, %5C and %25.
/// </summary>
internal static class AttributeKeys
{
    /// <summary>The key under which a field is kept.</summary>
    public static string Encode(string name) =>
        name.AsSpan().IndexOfAny('%', '"', '\\') < 0 ? name : name.Replace("%", "%25").Replace("\"", "%22").Replace("\\", "%5C");

    public static string Decode(string key) =>
        key.Contains('%') ? key.Replace("%22", "\"").Replace("%5C", "\\").Replace("%25", "%") : key;

    /// <summary>The path by which a filter reaches a field.</summary>
    public static string Path(string name)
    {
        var key = Encode(name);
        var path = new StringBuilder(PayloadKeys.Attributes).Append('.');
        return key.Length > 0 && key.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-')
            ? path.Append(key).ToString()
            : path.Append('"').Append(key).Append('"').ToString();
    }
}
