using System.Text;
using Embeddings.Primitives;

namespace Embeddings.Server.Grpc.Mapping;

/// <summary>
/// Pages of a short list that is sorted by name. A token is the last name of the previous page, so it remains valid
/// while the list changes.
/// </summary>
internal static class NamePages
{
    public static (IReadOnlyList<T> Page, string Next) Take<T>(IReadOnlyList<T> sorted, Func<T, string> name, int size, string token)
    {
        var after = Decode(token);
        var page = sorted.Where(item => string.CompareOrdinal(name(item), after) > 0).Take(size + 1).ToList();
        if (page.Count <= size)
        {
            return (page, "");
        }
        page.RemoveAt(size);
        return (page, Convert.ToBase64String(Encoding.UTF8.GetBytes(name(page[^1]))));
    }

    private static string Decode(string token)
    {
        try
        {
            return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(Convert.FromBase64String(token));
        }
        catch (Exception e) when (e is FormatException or ArgumentException)
        {
            throw Fault.Invalid(
                Reasons.PageTokenInvalid,
                "page_token",
                "page_token is not valid for this list; send the next_page_token of the previous page unchanged.");
        }
    }
}
