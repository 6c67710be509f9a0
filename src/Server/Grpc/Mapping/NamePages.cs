using System.Text;
using Embeddings.Storage;

namespace Embeddings.Server.Grpc.Mapping;

/// <summary>
/// Pages of a short list sorted by name. The token contains the last name of the previous page, so it stays valid when
/// the list changes.
/// </summary>
internal static class NamePages
{
    public static (IReadOnlyList<T> Page, string Next) Take<T>(
        string listing, IReadOnlyList<T> sorted, Func<T, string> name, int size, string token)
    {
        var after = PageToken.Decode(listing, token) is { } position ? Encoding.UTF8.GetString(position) : "";
        var page = sorted.Where(item => string.CompareOrdinal(name(item), after) > 0).Take(size + 1).ToList();
        if (page.Count <= size)
        {
            return (page, "");
        }
        page.RemoveAt(size);
        return (page, PageToken.Encode(listing, Encoding.UTF8.GetBytes(name(page[^1]))));
    }
}
