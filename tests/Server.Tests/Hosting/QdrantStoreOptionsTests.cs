using Embeddings.Server.Hosting;
using Embeddings.Storage.Qdrant;
using Embeddings.Testing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;

namespace Embeddings.Server.Tests.Hosting;

public sealed class QdrantStoreOptionsTests
{
    [Theory]
    [InlineData("Url", "localhost:6334")]
    [InlineData("Url", "ftp://host")]
    [InlineData("CertificateThumbprint", "abc")]
    [InlineData("CaFile", "/no/such/file.pem")]
    [InlineData("MaxUpsertPoints", "0")]
    [InlineData("MaxUpsertBytes", "99999999")]
    [InlineData("Ack", "Perhaps")]
    [InlineData("ReadTimeoutSeconds", "0")]
    [InlineData("Nonsense", "1")]
    public void Bad_options_are_refused_by_name(string key, string value)
    {
        var error = Assert.Throws<OptionsValidationException>(() => Read(key, value));
        Assert.Contains(key is "Ack" or "Nonsense" or "CertificateThumbprint" ? "Store:Qdrant" : key, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Good_options_are_read()
    {
        Assert.Equal("https://q:6334", Read("Url", "https://q:6334").Url);
        Assert.Equal(AckLevel.Accepted, Read("Ack", "accepted").Ack);
    }

    private static QdrantStoreOptions Read(string key, string value) => new ConfigurationBuilder()
        .AddInMemoryCollection([new($"Store:Qdrant:{key}", value), new("Store:Qdrant:NewCollections:Shards", "2")])
        .Build()
        .Read<QdrantStoreOptions>("Store:Qdrant", "NewCollections");
}
