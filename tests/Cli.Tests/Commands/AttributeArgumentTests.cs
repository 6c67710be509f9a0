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
    }

    [Theory]
    [InlineData("")]
    [InlineData("key")]
    [InlineData("=value")]
    [InlineData("a>b")]
    public void Anything_else_is_an_error(string text) =>
        Assert.Throws<ToolException>(() => FilterOptions.ParseAttribute(text));
}
