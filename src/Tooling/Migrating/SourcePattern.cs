using System.Buffers;
using System.Globalization;
using System.Text;
using Embeddings.V1;
using Google.Protobuf.WellKnownTypes;

namespace Embeddings.Tooling.Migrating;

/// <summary>
/// The file of a point's image, as a path with fields of the point in braces: <c>photos/{media_store_id}.jpg</c>. The fields are
/// <c>point_id</c>, <c>job_id</c>, <c>media_store_id</c>, <c>face_index</c>, and <c>attributes.KEY</c> for an attribute that is a text or a number.
/// </summary>
internal sealed class SourcePattern
{
    private const string AttributePrefix = "attributes.";
    private static readonly string[] Fields = ["point_id", "job_id", "media_store_id", "face_index"];
    private static readonly SearchValues<char> Separators = SearchValues.Create(Path.DirectorySeparatorChar, Path.AltDirectorySeparatorChar);

    // Texts and fields in turn, beginning with a text.
    private readonly string[] _parts;
    private readonly string _root;

    private SourcePattern(string[] parts)
    {
        _parts = parts;
        var first = parts[0];
        var end = first.AsSpan().LastIndexOfAny(Separators);
        _root = Path.GetFullPath(end < 0 ? "." : first[..(end + 1)]);
        if (!_root.EndsWith(Path.DirectorySeparatorChar))
        {
            _root += Path.DirectorySeparatorChar;
        }
    }

    /// <exception cref="ToolException">The pattern is not valid.</exception>
    public static SourcePattern Parse(string text)
    {
        var parts = new List<string>();
        var rest = text.AsSpan();
        while (true)
        {
            var open = rest.IndexOf('{');
            if (open < 0)
            {
                parts.Add(rest.ToString());
                break;
            }
            var close = rest.IndexOf('}');
            if (close < open)
            {
                throw new ToolException($"The pattern '{text}' has a brace without its counterpart.");
            }
            var field = rest[(open + 1)..close].ToString();
            if (!Fields.Contains(field) && (!field.StartsWith(AttributePrefix, StringComparison.Ordinal) || field.Length == AttributePrefix.Length))
            {
                throw new ToolException(
                    $"A field in braces must be {string.Join(", ", Fields)}, or {AttributePrefix}KEY; got '{field}'.");
            }
            parts.Add(rest[..open].ToString());
            parts.Add(field);
            rest = rest[(close + 1)..];
        }
        return parts.Count > 1
            ? new([.. parts])
            : throw new ToolException($"The pattern '{text}' must have a field of the point in braces, for example {{media_store_id}}.");
    }

    /// <summary>
    /// Returns the path of a point's file; null if the point lacks a field of it, or if the path would leave the folder in front of the
    /// first field, which ids from elsewhere must not do.
    /// </summary>
    public string? PathOf(VectorPoint point)
    {
        var path = new StringBuilder(_parts[0]);
        for (var i = 1; i < _parts.Length; i += 2)
        {
            if (ValueOf(point, _parts[i]) is not { Length: > 0 } value || value.Contains('\0', StringComparison.Ordinal))
            {
                return null;
            }
            path.Append(value).Append(_parts[i + 1]);
        }
        var full = Path.GetFullPath(path.ToString());
        return full.StartsWith(_root, StringComparison.Ordinal) ? full : null;
    }

    private static string? ValueOf(VectorPoint point, string field) => field switch
    {
        "point_id" => point.PointId,
        "job_id" => point.Payload?.JobId,
        "media_store_id" => point.Payload?.MediaStoreId,
        "face_index" => point.Payload is { HasFaceIndex: true } payload ? payload.FaceIndex.ToString(CultureInfo.InvariantCulture) : null,
        _ => point.Payload?.Attributes?.Fields.GetValueOrDefault(field[AttributePrefix.Length..]) switch
        {
            { KindCase: Value.KindOneofCase.StringValue } text => text.StringValue,
            { KindCase: Value.KindOneofCase.NumberValue } number => number.NumberValue.ToString("R", CultureInfo.InvariantCulture),
            _ => null,
        },
    };
}
