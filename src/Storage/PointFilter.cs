namespace Embeddings.Storage;

/// <summary>
/// A filter on points: a tree. All conditions that are not null or empty must hold, so a filter without conditions matches every
/// point. <see cref="FilterEvaluator"/> defines the meaning of each condition.
/// </summary>
internal sealed record PointFilter
{
    /// <summary>The maximum number of conditions, those of nested filters included.</summary>
    public const int MaxConditions = 64;

    /// <summary>The maximum number of levels of nested filters, the outermost included.</summary>
    public const int MaxDepth = 8;

    public static PointFilter All { get; } = new();

    public string? JobId { get; init; }

    public string? MediaStoreId { get; init; }

    public int? FaceIndex { get; init; }

    public NumericRange? Confidence { get; init; }

    public IReadOnlyList<AttributeCondition> Attributes { get; init; } = [];

    /// <summary>True: the point is on legal hold. False: it is not.</summary>
    public bool? OnHold { get; init; }

    /// <summary>The point has one of these ids. If empty, this is no condition; the same holds for the next two.</summary>
    public IReadOnlyList<string> PointIds { get; init; } = [];

    public IReadOnlyList<string> JobIds { get; init; } = [];

    public IReadOnlyList<string> MediaStoreIds { get; init; } = [];

    /// <summary>The id starts with this text; upper and lower case differ.</summary>
    public string? PointIdPrefix { get; init; }

    public string? JobIdPrefix { get; init; }

    public string? MediaStoreIdPrefix { get; init; }

    /// <summary>The time of storing. Points without it do not match.</summary>
    public TimeRange? StoredAt { get; init; }

    /// <summary>The time of expiry. Points without it do not match.</summary>
    public TimeRange? ExpiresAt { get; init; }

    /// <summary>Filters that must all match.</summary>
    public IReadOnlyList<PointFilter> AllOf { get; init; } = [];

    /// <summary>Filters of which at least one must match. If empty, this is no condition.</summary>
    public IReadOnlyList<PointFilter> AnyOf { get; init; } = [];

    /// <summary>Filters none of which may match. A point matches exactly one of a filter and its negation.</summary>
    public IReadOnlyList<PointFilter> NoneOf { get; init; } = [];

    /// <summary>Returns true if every point matches.</summary>
    public bool IsEmpty =>
        JobId is null && MediaStoreId is null && FaceIndex is null && Confidence is null && Attributes.Count == 0 && OnHold is null
        && PointIds.Count == 0 && JobIds.Count == 0 && MediaStoreIds.Count == 0
        && PointIdPrefix is null && JobIdPrefix is null && MediaStoreIdPrefix is null && StoredAt is null && ExpiresAt is null
        && AllOf.All(static filter => filter.IsEmpty)
        && (AnyOf.Count == 0 || AnyOf.Any(static filter => filter.IsEmpty))
        && NoneOf.Count == 0;
}

/// <summary>
/// A condition on a field of the user's attributes: exactly one of the values is not null. Types are strict: the text "1" is not the
/// number 1, and a list never equals its item. An absent field only matches <see cref="Exists"/> set to false.
/// </summary>
/// <param name="Path">The field.</param>
/// <param name="Text">The text that the field equals.</param>
/// <param name="Number">The number that the field equals.</param>
/// <param name="Flag">The Boolean value that the field equals.</param>
/// <param name="Range">The range of the field, a number.</param>
/// <param name="Exists">True: the field is present and not null, but may be empty. False: it is absent or null.</param>
internal sealed record AttributeCondition(
    AttributePath Path,
    string? Text = null,
    double? Number = null,
    bool? Flag = null,
    NumericRange? Range = null,
    bool? Exists = null)
{
    /// <summary>The texts of which the field equals one; not empty.</summary>
    public IReadOnlyList<string>? TextIn { get; init; }

    /// <summary>The numbers of which the field equals one; not empty.</summary>
    public IReadOnlyList<double>? NumberIn { get; init; }

    /// <summary>The text with which the field, a text, starts; upper and lower case differ.</summary>
    public string? Prefix { get; init; }

    /// <summary>The range of the field, a text with a time as <see cref="AttributeTimes"/> defines it.</summary>
    public TimeRange? Time { get; init; }

    /// <summary>The type of an index that this condition can use; null for <see cref="Exists"/>.</summary>
    public AttributeType? Type => this switch
    {
        { Text: not null } or { TextIn: not null } or { Prefix: not null } => AttributeType.Text,
        { Number: not null } or { NumberIn: not null } or { Range: not null } => AttributeType.Number,
        { Flag: not null } => AttributeType.Flag,
        { Time: not null } => AttributeType.Time,
        _ => null,
    };
}

/// <summary>A numeric range. All bounds that are not null must hold; at least one is not null.</summary>
internal sealed record NumericRange(double? Gt, double? Gte, double? Lt, double? Lte)
{
    public bool Contains(double value) =>
        (Gt is not { } gt || value > gt)
        && (Gte is not { } gte || value >= gte)
        && (Lt is not { } lt || value < lt)
        && (Lte is not { } lte || value <= lte);

    /// <summary>
    /// The range for numbers in single precision: 0.9 as a double is above 0.9 as a float, and "0.9 or more" must find it.
    /// </summary>
    public NumericRange ToSingle()
    {
        return new(Round(Gt), Round(Gte), Round(Lt), Round(Lte));

        static double? Round(double? bound) =>
            bound is { } value ? (float)Math.Clamp(value, float.MinValue, float.MaxValue) : null;
    }
}

/// <summary>
/// A range of times, milliseconds of Unix time. All bounds that are not null must hold; at least one is not null.
/// </summary>
/// <param name="After">The exclusive lower bound.</param>
/// <param name="From">The inclusive lower bound.</param>
/// <param name="Before">The exclusive upper bound.</param>
/// <param name="To">The inclusive upper bound.</param>
internal sealed record TimeRange(long? After = null, long? From = null, long? Before = null, long? To = null)
{
    /// <summary>The first millisecond that the range contains.</summary>
    public long First => Math.Max(After + 1 ?? long.MinValue, From ?? long.MinValue);

    /// <summary>The last millisecond that the range contains; it may be before the first one.</summary>
    public long Last => Math.Min(Before - 1 ?? long.MaxValue, To ?? long.MaxValue);

    public bool Contains(long milliseconds) => milliseconds >= First && milliseconds <= Last;
}
