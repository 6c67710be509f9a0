using System.Globalization;
using Embeddings.Tooling.Ingesting;
using Embeddings.V1;
using Google.Protobuf.WellKnownTypes;

namespace Embeddings.Cli.Filtering;

/// <summary>
/// Parses filters: conditions on attributes (<c>tag=red</c>, <c>score&gt;=0.5</c>, <c>camera.lens="50 mm"</c>, <c>"a.b".c=1</c>, <c>tag^=pre</c>,
/// <c>tag in (a,b)</c>, <c>exists(tag)</c>, <c>taken&gt;=2026-05-01T00:00:00Z</c>) and on other fields (<c>@job_id=j1</c>), joined by
/// <c>and</c>, <c>or</c>, <c>not</c>, and parentheses. Anything else is an error that names its column.
/// </summary>
internal sealed class FilterParser
{
    /// <summary>Text of the help of commands.</summary>
    public const string Syntax =
        "tag=red, tag!=red, tag in (red, \"dark blue\"), score>=0.5, camera.lens=\"50 mm\", \"a.b\".c=1, tag^=pre (starts with), exists(tag), "
        + "taken>=2026-05-01T00:00:00Z, joined by and, or, not, and parentheses. true, false, and numbers are typed; quote a text that looks "
        + "like one or has spaces. != and not also match points without the attribute. Other fields begin with @: @point_id, @job_id, "
        + "@media_store_id, @face_index, @confidence, @stored_at, @expires_at, @on_hold.";

    private static readonly string[] Fields =
        ["point_id", "job_id", "media_store_id", "face_index", "confidence", "stored_at", "expires_at", "on_hold"];

    private readonly string _text;
    private readonly FilterLexer _lexer;
    private FilterToken _token;

    private FilterParser(string text)
    {
        _text = text;
        _lexer = new(text);
        Move();
    }

    /// <summary>Parses a filter.</summary>
    /// <exception cref="ToolException">The filter is invalid.</exception>
    public static Filter Parse(string text)
    {
        var parser = new FilterParser(text);
        var filter = parser.Or();
        return parser._token.Kind == FilterTokenKind.End
            ? filter
            : throw parser.Expected("'and', 'or', or the end; quote texts with spaces");
    }

    private Filter Or()
    {
        var parts = new List<Filter> { And() };
        while (_token.IsKeyword("or"))
        {
            Move();
            parts.Add(And());
        }
        return parts is [var single] ? single : new() { Any = { parts } };
    }

    private Filter And()
    {
        var parts = new List<Filter> { Unary() };
        while (_token.IsKeyword("and"))
        {
            Move();
            parts.Add(Unary());
        }
        if (parts is [var single])
        {
            return single;
        }
        var joined = new Filter();
        foreach (var part in parts)
        {
            // Conditions in lists need no level of their own.
            var rest = part.Clone();
            rest.Attributes.Clear();
            rest.Not.Clear();
            rest.All.Clear();
            if (rest.Equals(new Filter()))
            {
                joined.Attributes.Add(part.Attributes);
                joined.Not.Add(part.Not);
                joined.All.Add(part.All);
            }
            else
            {
                joined.All.Add(part);
            }
        }
        return joined;
    }

    private Filter Unary()
    {
        if (_token.IsKeyword("not"))
        {
            Move();
            return Not(Unary());
        }
        if (!_token.Is("("))
        {
            return Condition();
        }
        var open = _token.At;
        Move();
        var inner = Or();
        if (!_token.Is(")"))
        {
            throw _token.Kind == FilterTokenKind.End
                ? FilterErrors.At(_text, open, "The parenthesis has no end")
                : Expected("'and', 'or', or ')'; quote texts with spaces");
        }
        Move();
        return inner;
    }

    private Filter Condition()
    {
        if (_token.Is("@"))
        {
            Move();
            return FieldCondition();
        }
        if (_token.IsKeyword("exists"))
        {
            var name = _token;
            Move();
            if (_token.Is("("))
            {
                Move();
                var path = Path();
                Require(")");
                return On(path, condition => condition.Exists = true);
            }
            return Comparison(Rest(name));
        }
        return Comparison(Path());
    }

    private Filter Comparison(List<string> path)
    {
        if (TryIn(out var isNegated, out var values))
        {
            return NotIf(isNegated, In(path, values));
        }
        var comparison = Operator();
        var value = Value();
        switch (comparison.Text)
        {
            case "=" or "!=":
                return NotIf(comparison.Text == "!=", On(path, condition => Equal(condition, value)));
            case "^=":
                return On(path, condition => condition.Prefix = Prefix(value));
            default:
                return On(path, condition => Compare(condition, comparison, value));
        }
    }

    private Filter In(List<string> path, List<FilterToken> values)
    {
        var (texts, numbers, flags) = (new TextSet(), new NumberSet(), new List<bool>());
        foreach (var value in values)
        {
            if (Flag(value) is { } flag)
            {
                flags.Add(flag);
            }
            else if (Number(value) is { } number)
            {
                numbers.Values.Add(number);
            }
            else
            {
                texts.Values.Add(value.Text);
            }
        }
        var parts = new List<Filter>();
        if (texts.Values.Count > 0)
        {
            parts.Add(On(path, condition => condition.TextIn = texts));
        }
        if (numbers.Values.Count > 0)
        {
            parts.Add(On(path, condition => condition.NumberIn = numbers));
        }
        parts.AddRange(flags.Distinct().Select(flag => On(path, condition => condition.Flag = flag)));
        return parts is [var single] ? single : new() { Any = { parts } };
    }

    private void Equal(AttributeCondition condition, FilterToken value)
    {
        if (Flag(value) is { } flag)
        {
            condition.Flag = flag;
        }
        else if (Number(value) is { } number)
        {
            condition.Number = number;
        }
        else
        {
            condition.Text = value.Text;
        }
    }

    private void Compare(AttributeCondition condition, FilterToken comparison, FilterToken value)
    {
        if (Number(value) is { } number)
        {
            condition.Range = Range(comparison.Text, number);
        }
        else if (Time(value) is { } time)
        {
            condition.Time = Range(comparison.Text, time);
        }
        else
        {
            throw FilterErrors.At(
                _text, value.At, $"{comparison.Text} must compare with a number or a time such as 2026-05-01T00:00:00Z; got {value}");
        }
    }

    private Filter FieldCondition()
    {
        var name = _token;
        if (name.Kind != FilterTokenKind.Word || !Fields.Contains(name.Text))
        {
            throw FilterErrors.At(_text, name.At, $"After @ must follow {string.Join(", ", Fields)}; got {name}");
        }
        Move();
        return name.Text switch
        {
            "point_id" => TextField(name, (filter, texts) => filter.PointIds.Add(texts), (filter, text) => filter.PointIdPrefix = text),
            "job_id" => TextField(
                name,
                (filter, texts) =>
                {
                    if (texts is [var single])
                    {
                        filter.JobId = single;
                    }
                    else
                    {
                        filter.JobIds.Add(texts);
                    }
                },
                (filter, text) => filter.JobIdPrefix = text),
            "media_store_id" => TextField(
                name,
                (filter, texts) =>
                {
                    if (texts is [var single])
                    {
                        filter.MediaStoreId = single;
                    }
                    else
                    {
                        filter.MediaStoreIds.Add(texts);
                    }
                },
                (filter, text) => filter.MediaStoreIdPrefix = text),
            "face_index" => FaceIndex(),
            "confidence" => Confidence(),
            "on_hold" => OnHold(),
            _ => TimeField(name.Text),
        };
    }

    private Filter TextField(FilterToken name, Action<Filter, string[]> set, Action<Filter, string> setPrefix)
    {
        var filter = new Filter();
        if (TryIn(out var isNegated, out var values))
        {
            set(filter, [.. values.Select(value => value.Text)]);
            return NotIf(isNegated, filter);
        }
        var comparison = Operator();
        var value = Value();
        switch (comparison.Text)
        {
            case "=" or "!=":
                set(filter, [value.Text]);
                return NotIf(comparison.Text == "!=", filter);
            case "^=":
                setPrefix(filter, Prefix(value));
                return filter;
            default:
                throw Unsupported(comparison, name.Text, "=, !=, ^=, and in");
        }
    }

    private Filter FaceIndex()
    {
        var comparison = Operator();
        var value = Value();
        if (comparison.Text is not ("=" or "!="))
        {
            throw Unsupported(comparison, "face_index", "= and !=");
        }
        return int.TryParse(value.Text, NumberStyles.None, CultureInfo.InvariantCulture, out var index)
            ? NotIf(comparison.Text == "!=", new Filter { FaceIndex = index })
            : throw FilterErrors.At(_text, value.At, $"@face_index must compare with a whole number of 0 or more; got {value}");
    }

    private Filter Confidence()
    {
        var comparison = Operator();
        var value = Value();
        if (comparison.Text == "^=")
        {
            throw Unsupported(comparison, "confidence", "=, !=, <, <=, >, and >=");
        }
        if (Number(value) is not { } number)
        {
            throw FilterErrors.At(_text, value.At, $"@confidence must compare with a number; got {value}");
        }
        return comparison.Text is "=" or "!="
            ? NotIf(comparison.Text == "!=", new Filter { Confidence = new() { Gte = number, Lte = number } })
            : new Filter { Confidence = Range(comparison.Text, number) };
    }

    private Filter OnHold()
    {
        var comparison = Operator();
        var value = Value();
        if (comparison.Text is not ("=" or "!="))
        {
            throw Unsupported(comparison, "on_hold", "= and !=");
        }
        return Flag(value) is { } flag
            ? new Filter { OnHold = flag == (comparison.Text == "=") }
            : throw FilterErrors.At(_text, value.At, $"@on_hold must compare with true or false; got {value}");
    }

    private Filter TimeField(string name)
    {
        var comparison = Operator();
        var value = Value();
        if (comparison.Text is "=" or "!=" or "^=")
        {
            throw Unsupported(comparison, name, "<, <=, >, and >=");
        }
        var range = Time(value) is { } time
            ? Range(comparison.Text, time)
            : throw FilterErrors.At(_text, value.At, $"@{name} must compare with a time such as 2026-05-01T00:00:00Z; got {value}");
        return name == "stored_at" ? new Filter { StoredAt = range } : new Filter { ExpiresAt = range };
    }

    private List<string> Path()
    {
        var path = new List<string> { Name() };
        return Rest(path);
    }

    private List<string> Rest(FilterToken first) => Rest([first.Text]);

    private List<string> Rest(List<string> path)
    {
        while (_token.Is("."))
        {
            Move();
            path.Add(Name());
        }
        return path;
    }

    private string Name()
    {
        if (_token.Kind is not (FilterTokenKind.Word or FilterTokenKind.Quoted) || _token.Text.Length == 0)
        {
            throw Expected("the name of an attribute");
        }
        var name = _token.Text;
        Move();
        return name;
    }

    /// <summary>Reads <c>in (a, b)</c> or <c>not in (a, b)</c>, if it follows.</summary>
    private bool TryIn(out bool isNegated, out List<FilterToken> values)
    {
        values = [];
        isNegated = _token.IsKeyword("not");
        if (isNegated)
        {
            Move();
            if (!_token.IsKeyword("in"))
            {
                throw Expected("'in' after 'not'");
            }
        }
        if (!_token.IsKeyword("in"))
        {
            return false;
        }
        Move();
        if (!_token.Is("("))
        {
            throw Expected("'(' after 'in'");
        }
        do
        {
            _token = _lexer.Next(isValue: true);
            values.Add(Value());
        }
        while (_token.Is(","));
        Require(")");
        return true;
    }

    private FilterToken Operator()
    {
        if (_token.Kind != FilterTokenKind.Symbol || _token.Text is "(" or ")" or "," or "@" or ".")
        {
            throw Expected("=, !=, <, <=, >, >=, ^=, or in");
        }
        var comparison = _token;
        _token = _lexer.Next(isValue: true);
        return comparison;
    }

    private FilterToken Value()
    {
        if (_token.Kind is not (FilterTokenKind.Word or FilterTokenKind.Quoted))
        {
            throw Expected("a value; quote texts with other characters than letters and digits");
        }
        var value = _token;
        Move();
        return value;
    }

    private void Require(string symbol)
    {
        if (!_token.Is(symbol))
        {
            throw Expected($"'{symbol}'");
        }
        Move();
    }

    private void Move() => _token = _lexer.Next(isValue: false);

    private string Prefix(FilterToken value) => value.Text.Length > 0
        ? value.Text
        : throw FilterErrors.At(_text, value.At, "^= must compare with a text that is not empty");

    private static bool? Flag(FilterToken value) => value switch
    {
        { Kind: FilterTokenKind.Word, Text: "true" } => true,
        { Kind: FilterTokenKind.Word, Text: "false" } => false,
        _ => null,
    };

    private double? Number(FilterToken value)
    {
        if (value.Kind != FilterTokenKind.Word)
        {
            return null;
        }
        if (!WholeNumbers.IsExact(value.Text))
        {
            throw FilterErrors.At(_text, value.At, $"The filter {WholeNumbers.Refusal(value.Text).TrimEnd('.')}, in quotes");
        }
        return double.TryParse(value.Text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number)
            ? number
            : null;
    }

    private static Timestamp? Time(FilterToken value) =>
        Storage.AttributeTimes.Parse(value.Text) is { } milliseconds
        && milliseconds >= DateTimeOffset.MinValue.ToUnixTimeMilliseconds()
        && milliseconds <= DateTimeOffset.MaxValue.ToUnixTimeMilliseconds()
            ? Timestamp.FromDateTimeOffset(DateTimeOffset.FromUnixTimeMilliseconds(milliseconds))
            : null;

    private static NumericRange Range(string comparison, double bound) => comparison switch
    {
        ">" => new() { Gt = bound },
        ">=" => new() { Gte = bound },
        "<" => new() { Lt = bound },
        _ => new() { Lte = bound },
    };

    private static TimeRange Range(string comparison, Timestamp bound) => comparison switch
    {
        ">" => new() { After = bound },
        ">=" => new() { From = bound },
        "<" => new() { Before = bound },
        _ => new() { To = bound },
    };

    private static Filter On(List<string> path, Action<AttributeCondition> set)
    {
        var condition = path is [var key] ? new AttributeCondition { Key = key } : new AttributeCondition { Path = { path } };
        set(condition);
        return new() { Attributes = { condition } };
    }

    private static Filter Not(Filter filter) => new() { Not = { filter } };

    private static Filter NotIf(bool isNegated, Filter filter) => isNegated ? Not(filter) : filter;

    private ToolException Expected(string what) => FilterErrors.At(_text, _token.At, $"Expected {what}; got {_token}");

    private ToolException Unsupported(FilterToken comparison, string field, string supported) =>
        FilterErrors.At(_text, comparison.At, $"@{field} can be compared by {supported}; got {comparison}");
}
