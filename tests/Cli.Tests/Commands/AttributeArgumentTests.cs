using Embeddings.Cli.Commands;
using Embeddings.V1;

namespace Embeddings.Cli.Tests.Commands;

public sealed class AttributeArgumentTests
{
    [Fact]
    public void Values_are_typed()
    {
        Assert.Equal(new AttributeCondition { Key = "place", Text = "a=b c" }, FilterOptions.ParseAttribute("place=a=b c"));
        Assert.Equal(new AttributeCondition { Key = "good", Flag = true }, FilterOptions.ParseAttribute("good=true"));
        Assert.Equal(new AttributeCondition { Key = "year", Number = 2024 }, FilterOptions.ParseAttribute("year=2024"));
        Assert.Equal(new AttributeCondition { Key = "code", Text = "1" }, FilterOptions.ParseAttribute("code=\"1\""));
        Assert.Equal(new AttributeCondition { Key = "empty", Text = "" }, FilterOptions.ParseAttribute("empty="));
        Assert.Equal(new AttributeCondition { Key = "place", Text = "a b" }, FilterOptions.ParseAttribute(" place = a b "));
        Assert.Equal(new AttributeCondition { Key = "a!", Text = "=b" }, FilterOptions.ParseAttribute("\"a!\"=\"=b\""));
        Assert.Equal(new AttributeCondition { Key = "a:b!c", Text = "d" }, FilterOptions.ParseAttribute("a:b!c=d"));
    }

    [Theory]
    [InlineData("9007199254740992")]
    [InlineData("-9007199254740994")]
    [InlineData("10000000000000000000000")]
    public void Integers_that_a_double_holds_are_numbers(string number) =>
        Assert.Equal(double.Parse(number), FilterOptions.ParseAttribute($"id={number}").Number);

    [Theory]
    [InlineData("=")]
    [InlineData(">=")]
    public void Integers_that_a_double_does_not_hold_are_refused(string comparison)
    {
        var error = Assert.Throws<ToolException>(() => FilterOptions.ParseAttribute($"id{comparison}9007199254740993"));
        Assert.Contains("got 9007199254740993. Send it as a string.", error.Message);
        Assert.Equal("9007199254740993", FilterOptions.ParseAttribute("id=\"9007199254740993\"").Text);
    }

    [Fact]
    public void Comparisons_are_ranges()
    {
        Assert.Equal(new NumericRange { Gt = 1 }, FilterOptions.ParseAttribute("a>1").Range);
        Assert.Equal(new NumericRange { Gte = 1 }, FilterOptions.ParseAttribute("a>=1").Range);
        Assert.Equal(new NumericRange { Lt = -1.5 }, FilterOptions.ParseAttribute("a<-1.5").Range);
        Assert.Equal(new NumericRange { Lte = 1 }, FilterOptions.ParseAttribute("a<=1").Range);
        Assert.Equal(("a", 1), (FilterOptions.ParseAttribute("a >= 1").Key, FilterOptions.ParseAttribute("a >= 1").Range.Gte));
    }

    [Theory]
    [InlineData("tag!=red")]
    [InlineData("tag != red")]
    [InlineData("tag==red")]
    [InlineData("tag=>1")]
    [InlineData("tag=<1")]
    [InlineData("tag<>1")]
    [InlineData("tag~=red")]
    [InlineData("tag^=red")]
    [InlineData("tag:=red")]
    public void Another_operator_is_an_error_and_not_a_part_of_key_or_value(string text)
    {
        var error = Assert.Throws<ToolException>(() => FilterOptions.ParseAttribute(text));
        Assert.Contains("There are no other operators", error.Message, StringComparison.Ordinal);
        Assert.Contains($"got '{text}'", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("key")]
    [InlineData("=value")]
    [InlineData(" =value")]
    [InlineData("\"\"=value")]
    [InlineData("a>b")]
    public void Anything_else_is_an_error(string text) =>
        Assert.Throws<ToolException>(() => FilterOptions.ParseAttribute(text));
}
