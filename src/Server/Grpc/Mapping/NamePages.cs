using System.Text;
using Embeddings.Storage;
using Google.Protobuf;

namespace Embeddings.Server.Grpc.Mapping;

/// <summary>
/// Pages of a short list sorted by name; a page ends at its number of items or at <see cref="PointPage.MaxBytes"/>. The
/// token contains the last name of the previous page, so it stays valid when the list changes.
/// </summary>
internal static class NamePages
{
    // Tag and length of an item.
    private const int Envelope = 6;

    public static (IReadOnlyList<TMessage> Page, string Next) Take<T, TMessage>(
        string listing, IReadOnlyList<T> sorted, Func<T, string> name, Func<T, TMessage> toContract, int size, string token)
        where TMessage : IMessage
    {
        var after = PageToken.Decode(listing, token) is { } position ? Encoding.UTF8.GetString(position) : "";
        var page = new List<TMessage>();
        var bytes = 0L;
        foreach (var item in sorted.Where(item => string.CompareOrdinal(name(item), after) > 0))
        {
            var message = toContract(item);
            bytes += Envelope + message.CalculateSize();
            if (page.Count == size || (page.Count > 0 && bytes > PointPage.MaxBytes))
            {
                return (page, PageToken.Encode(listing, Encoding.UTF8.GetBytes(after)));
            }
            page.Add(message);
            after = name(item);
        }
        return (page, "");
    }
}
