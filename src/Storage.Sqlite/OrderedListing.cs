using System.Text;

namespace Embeddings.Storage.Sqlite;

/// <summary>
/// Pages of a listing in an order. The token holds value and id of the last point, so that pages stay right while points are written.
/// Ids are in the order of their UTF-8 bytes, that of the table's index.
/// </summary>
internal sealed class OrderedListing(CollectionIndex index, PointFilter filter, PointOrder order)
{
    private readonly string _table = index.Statements.Table;

    public PointOrder Order => order;

    /// <summary>The name of the listing in page tokens. The table's name is never reused, unlike the collection's.</summary>
    public string Name => $"{_table}/{order.Key}";

    /// <summary>The column of which an index makes the listing fast; null if there is one already, or if none would.</summary>
    public string? IndexedColumn => order.Field is OrderField.StoredAt or OrderField.Confidence ? Value : null;

    private string Value => order.Field switch
    {
        OrderField.PointId => "id",
        OrderField.StoredAt => "stored_at",
        OrderField.Confidence => "confidence",
        // The expression of the attribute's index, so that SQLite uses it.
        _ => new AttributeIndex(0, order.Attribute!).Expression,
    };

    private string Direction => order.Descending ? "DESC" : "ASC";

    /// <summary>Returns the page after a position; null for the first page.</summary>
    public PointPage Page(SqliteSession session, OrderPosition? after, int size, bool withVectors)
    {
        var points = new List<StoredPoint>();
        var bytes = 0L;
        var last = default(OrderPosition);
        foreach (var part in Parts(after))
        {
            using var command = FilterSql.Command(
                session,
                $"SELECT {PointCodec.Columns}, {(withVectors ? "vector" : "NULL")}, {(order.Field == OrderField.PointId ? "0" : Value)} "
                + $"FROM {_table}",
                filter,
                part.Condition,
                $"ORDER BY {part.Order} LIMIT $limit");
            command.Parameters.AddWithValue("$limit", (long)size + 1 - points.Count);
            if (after is { Value: { } value })
            {
                command.Parameters.AddWithValue("$value", value);
            }

            if (after is { Id: { } id })
            {
                command.Parameters.AddWithValue("$id", Encoding.UTF8.GetBytes(id));
            }

            using var reader = command.ExecuteReader();
            while (reader.Read())
            {
                if (points.Count == size)
                {
                    return Continued();
                }

                var point = PointCodec.Decode(reader, withPayload: true, withVectors);
                bytes += PointSize.Of(point);
                if (points.Count > 0 && bytes > PointPage.MaxBytes)
                {
                    return Continued();
                }

                points.Add(point);
                const int ValueColumn = PointCodec.Count + 1;
                last = new(reader.IsDBNull(ValueColumn) ? null : reader.GetDouble(ValueColumn), point.Id);
            }
        }

        return new(points, "");

        PointPage Continued() => new(points, PageToken.Encode(Name, last.ToBytes()));
    }

    // Consecutive parts of the listing, each of which an index can answer in order.
    private IEnumerable<(string Condition, string Order)> Parts(OrderPosition? after)
    {
        const string AfterId = "id > CAST($id AS TEXT)";
        if (order.Field == OrderField.PointId)
        {
            var beyond = order.Descending ? "id < CAST($id AS TEXT)" : AfterId;
            yield return (after is null ? "" : beyond, $"id {Direction}");
            yield break;
        }

        if (after is null)
        {
            yield return ($"{Value} IS NOT NULL", $"{Value} {Direction}, id");
        }
        else if (after.Value.Value is not null)
        {
            yield return ($"{Value} = $value AND {AfterId}", "id");
            yield return ($"{Value} {(order.Descending ? "<" : ">")} $value", $"{Value} {Direction}, id");
        }

        yield return after is { Value: null } ? ($"{Value} IS NULL AND {AfterId}", "id") : ($"{Value} IS NULL", "id");
    }
}
