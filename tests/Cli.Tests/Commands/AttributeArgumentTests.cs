using Embeddings.Cli.Commands;
using Embeddings.V1;

namespace Embeddings.Cli.Tests.Commands;

public sealed class AttributeArgumentTests
{
    [Fact]
    public void Values_have_the_type_they_look_like()
    {
        Assert.Equal(new AttributeCondition { Key = "place", Text = "a=b c" }, AttributeArgument.Parse("place=a=b c"));
        Assert.Equal(new AttributeCondition { Key = "good", Flag = true }, AttributeArgument.Parse("good=true"));
        Assert.Equal(new AttributeCondition { Key = "year", Number = 2024 }, AttributeArgument.Parse("year=2024"));
        Assert.Equal(new AttributeCondition { Key = "code", Text = "1" }, AttributeArgument.Parse("code=\"1\""));
        Assert.Equal(new AttributeCondition { Key = "empty", Text = "" }, AttributeArgument.Parse("empty="));
    }

    [Fact]
    public void Comparisons_are_ranges()
    {
        Assert.Equal(new NumericRange { Gt = 1 }, AttributeArgument.Parse("a>1").Range);
        Assert.Equal(new NumericRange { Gte = 1 }, AttributeArgument.Parse("a>=1").Range);
        Assert.Equal(new NumericRange { Lt = -1.5 }, AttributeArgument.Parse("a<-1.5").Range);
        Assert.Equal(new NumericRange { Lte = 1 }, AttributeArgument.Parse("a<=1").Range);
    }

    [Theory]
    [InlineData("")]
    [InlineData("key")]
    [InlineData("=value")]
    [InlineData("a>b")]
    public void Anything_else_is_said(string text) => Assert.Throws<CliException>(() => AttributeArgument.Parse(text));
}
