using System.Text;

namespace Embeddings.Cli.Filtering;

/// <summary>Kinds of tokens of a filter.</summary>
internal enum FilterTokenKind
{
    /// <summary>A word without quotes.</summary>
    Word,

    /// <summary>A text in quotes.</summary>
    Quoted,

    /// <summary>A comparison, parenthesis, comma, dot, or at sign.</summary>
    Symbol,

    /// <summary>The end of the text.</summary>
    End,
}

/// <summary>A part of a filter.</summary>
/// <param name="Kind">The kind.</param>
/// <param name="Text">The text, without quotes and escapes.</param>
/// <param name="At">The position of the first character, from 0.</param>
internal readonly record struct FilterToken(FilterTokenKind Kind, string Text, int At)
{
    public bool Is(string symbol) => Kind == FilterTokenKind.Symbol && Text == symbol;

    /// <summary>True for a keyword, in any case.</summary>
    public bool IsKeyword(string word) => Kind == FilterTokenKind.Word && Text.Equals(word, StringComparison.OrdinalIgnoreCase);

    public override string ToString() => Kind switch
    {
        FilterTokenKind.End => "the end",
        FilterTokenKind.Quoted => $"\"{Text}\"",
        _ => $"'{Text}'",
    };
}

/// <summary>Splits a filter into tokens.</summary>
internal sealed class FilterLexer(string text)
{
    private static readonly string[] Symbols = ["!=", "<=", ">=", "^=", "=", "<", ">", "(", ")", ",", "@"];

    private int _at;

    /// <summary>
    /// Returns the next token. Where a value is expected, dots belong to words (<c>0.5</c>); otherwise they separate names.
    /// </summary>
    public FilterToken Next(bool isValue)
    {
        while (_at < text.Length && char.IsWhiteSpace(text[_at]))
        {
            _at++;
        }
        var start = _at;
        if (_at == text.Length)
        {
            return new(FilterTokenKind.End, "", start);
        }
        if (text[_at] is '"' or '\'')
        {
            return new(FilterTokenKind.Quoted, Quoted(), start);
        }
        if (!isValue && text[_at] == '.')
        {
            _at++;
            return new(FilterTokenKind.Symbol, ".", start);
        }
        foreach (var symbol in Symbols)
        {
            if (text.AsSpan(_at).StartsWith(symbol, StringComparison.Ordinal))
            {
                _at += symbol.Length;
                return new(FilterTokenKind.Symbol, symbol, start);
            }
        }
        while (_at < text.Length && IsWord(text[_at], isValue))
        {
            _at++;
        }
        if (_at == start)
        {
            throw FilterErrors.At(text, start, $"'{text[start]}' is not an operator. Put texts with such characters in quotes");
        }
        return new(FilterTokenKind.Word, text[start.._at], start);
    }

    private static bool IsWord(char c, bool isValue) =>
        char.IsLetterOrDigit(c) || char.IsSurrogate(c) || c is '_' or '-' || (isValue && c is '.' or ':' or '+' or '/');

    private string Quoted()
    {
        var start = _at;
        var quote = text[_at++];
        var result = new StringBuilder();
        for (; _at < text.Length; _at++)
        {
            if (text[_at] == quote)
            {
                _at++;
                return result.ToString();
            }
            if (text[_at] == '\\' && _at + 1 < text.Length && text[_at + 1] is '"' or '\'' or '\\')
            {
                _at++;
            }
            result.Append(text[_at]);
        }
        throw FilterErrors.At(text, start, $"The quote {quote} has no end");
    }
}

/// <summary>Errors in filters.</summary>
internal static class FilterErrors
{
    public static ToolException At(string text, int at, string what) => ArgumentErrors.New(
        $"--filter: {what} (column {at + 1} of: {text}). See 'embeddings search --help' for the syntax.");
}
