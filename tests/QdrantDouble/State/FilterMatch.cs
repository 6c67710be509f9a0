using Qdrant.Client.Grpc;

namespace Embeddings.QdrantDouble.State;

/// <summary>
/// Matches points against filters. Types are strict; a list meets a condition if one of its items does.
/// </summary>
internal static class FilterMatch
{
    /// <summary>Compiles a filter to a predicate, parsing its paths once.</summary>
    public static Func<Point, bool> Compile(Filter? filter)
    {
        if (filter is null)
        {
            return _ => true;
        }
        if (filter.MinShould is not null)
        {
            throw Errors.Unserved("min_should");
        }
        Func<Point, bool>[] must = [.. filter.Must.Select(Compile)];
        Func<Point, bool>[] not = [.. filter.MustNot.Select(Compile)];
        Func<Point, bool>[] should = [.. filter.Should.Select(Compile)];
        return point => must.All(test => test(point))
            && !not.Any(test => test(point))
            && (should.Length == 0 || should.Any(test => test(point)));
    }

    private static Func<Point, bool> Compile(Condition condition)
    {
        switch (condition.ConditionOneOfCase)
        {
            case Condition.ConditionOneOfOneofCase.Filter:
                return Compile(condition.Filter);
            case Condition.ConditionOneOfOneofCase.HasId:
                var ids = condition.HasId.HasId.Select(PointKey.Of).ToHashSet();
                return point => ids.Contains(point.Key);
            case Condition.ConditionOneOfOneofCase.IsEmpty:
                var empty = JsonPath.Parse(condition.IsEmpty.Key);
                return point => empty.Find(point.Payload).All(value => value.HasNullValue || value.ListValue is { Values.Count: 0 });
            case Condition.ConditionOneOfOneofCase.IsNull:
                var none = JsonPath.Parse(condition.IsNull.Key);
                return point => none.Find(point.Payload).Any(value => value.HasNullValue);
            case Condition.ConditionOneOfOneofCase.Field:
                var path = JsonPath.Parse(condition.Field.Key);
                var test = Test(condition.Field);
                return point => path.Find(point.Payload).Any(value => value.ListValue is { } list ? list.Values.Any(test) : test(value));
            default:
                throw Errors.Unserved($"the condition {condition.ConditionOneOfCase}");
        }
    }

    private static Func<Value, bool> Test(FieldCondition field) => field switch
    {
        { Match: { } match } => Test(match),
        { Range: { } range } => value => Number(value) is { } number
            && (!range.HasGt || number > range.Gt) && (!range.HasGte || number >= range.Gte)
            && (!range.HasLt || number < range.Lt) && (!range.HasLte || number <= range.Lte),
        _ => throw Errors.Unserved("this field condition"),
    };

    private static Func<Value, bool> Test(Match match) => match.MatchValueCase switch
    {
        Match.MatchValueOneofCase.Keyword => value => value.HasStringValue && value.StringValue == match.Keyword,
        Match.MatchValueOneofCase.Integer => value => value.HasIntegerValue && value.IntegerValue == match.Integer,
        Match.MatchValueOneofCase.Boolean => value => value.HasBoolValue && value.BoolValue == match.Boolean,
        Match.MatchValueOneofCase.Keywords => value => value.HasStringValue && match.Keywords.Strings.Contains(value.StringValue),
        Match.MatchValueOneofCase.Integers => value => value.HasIntegerValue && match.Integers.Integers.Contains(value.IntegerValue),
        _ => throw Errors.Unserved($"the match {match.MatchValueCase}"),
    };

    private static double? Number(Value value) => value.HasDoubleValue ? value.DoubleValue : value.HasIntegerValue ? value.IntegerValue : null;
}
