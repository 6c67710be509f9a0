using Embeddings.Testing;

namespace Embeddings.Storage.Qdrant.Tests;

public sealed class AttributeKeysTests
{
    [Theory]
    [InlineData("plain_Key-1", "attributes.plain_Key-1")]
    [InlineData("a.b", "attributes.\"a.b\"")]
    [InlineData("a[0]", "attributes.\"a[0]\"")]
    [InlineData("50%", "attributes.\"50%25\"")]
    [InlineData("say \"hi\"", "attributes.\"say %22hi%22\"")]
    [InlineData("C:\\x", "attributes.\"C:%5Cx\"")]
    [InlineData("наука", "attributes.\"наука\"")]
    [InlineData("", "attributes.\"\"")]
    public void Paths_follow_the_syntax_of_Qdrant(string name, string path) => Assert.Equal(path, AttributeKeys.Path(name));

    [Theory]
    [InlineData("%")]
    [InlineData("%22")]
    [InlineData("%2522")]
    [InlineData("%25\"\\%5C%")]
    [InlineData("%%225C")]
    public void Encoded_keys_decode_to_the_same_name(string name)
    {
        var key = AttributeKeys.Encode(name);
        Assert.DoesNotContain('"', key);
        Assert.DoesNotContain('\\', key);
        Assert.Equal(name, AttributeKeys.Decode(key));
    }
}
