using Google.Protobuf.WellKnownTypes;
using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant;

/// <summary>
/// The field of an ordered listing in Qdrant, with conditions on its values. A value is a number, or a time in whole milliseconds of
/// Unix time. The points with a value and those without one are together all points: in Qdrant a list has several values, here none.
/// </summary>
/// <param name="path">Path of the field.</param>
/// <param name="isTime">True for times, which are stored as milliseconds.</param>
/// <param name="isAttribute">True if values may be lists.</param>
internal sealed class OrderedField(string path, bool isTime, bool isAttribute)
{
    // Milliseconds, exact as doubles: more than all times that this store writes.
    private const double LargestTime = 9e15;

    public string Path => path;

    public static OrderedField Of(PointOrder order) => order switch
    {
        { Field: OrderField.StoredAt } => new(PayloadKeys.StoredAt, isTime: true, isAttribute: false),
        { Field: OrderField.Confidence } => new(PayloadKeys.Confidence, isTime: false, isAttribute: false),
        { Attribute: { Type: AttributeType.Time } time } => new(StoredTimes.Path(time.Path), isTime: true, isAttribute: false),
        { Attribute: { } attribute } => new(AttributeKeys.Path(attribute.Path), isTime: false, isAttribute: true),
        _ => throw new ArgumentException("The order must have a field that Qdrant has.", nameof(order)),
    };

    /// <summary>The value that a point has been ordered by.</summary>
    public double ValueOf(OrderValue value) => value.HasFloat ? value.Float + 0 : value.Int;

    /// <summary>Restricts a filter to points with a value.</summary>
    public void AddPresent(Filter filter) => Add(filter, At(path, null, null));

    /// <summary>Restricts a filter to points with this value.</summary>
    public void AddEqual(Filter filter, double value) => Add(filter, At(path, value, value));

    /// <summary>Restricts a filter to points with a value beyond this one.</summary>
    public void AddBeyond(Filter filter, double value, bool descending)
    {
        AddPresent(filter);
        filter.Must.Add(Beyond(value, descending));
    }

    /// <summary>Restricts a filter to points without a value.</summary>
    public void AddAbsent(Filter filter)
    {
        var present = new Filter();
        AddPresent(present);
        filter.MustNot.Add(new Condition { Filter = present });
    }

    /// <summary>Orders a scroll, from a value on.</summary>
    public OrderBy OrderBy(bool descending, double? from)
    {
        var order = new OrderBy { Key = path, Direction = descending ? Direction.Desc : Direction.Asc };
        if (from is { } value)
        {
            order.StartFrom = isTime ? new() { Integer = (long)value } : new() { Float = value };
        }
        return order;
    }

    private void Add(Filter filter, Condition condition)
    {
        filter.Must.Add(condition);
        if (isAttribute)
        {
            filter.MustNot.Add(At(path + "[]", null, null));
        }
    }

    private Condition Beyond(double value, bool descending) =>
        Conditions.Range(path, descending ? new() { Lt = value } : new() { Gt = value });

    private Condition At(string at, double? from, double? to)
    {
        var largest = isTime ? LargestTime : double.MaxValue;
        return Conditions.Range(at, new() { Gte = from ?? -largest, Lte = to ?? largest });
    }
}
