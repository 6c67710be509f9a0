namespace Embeddings.IntegrationTests.Infrastructure;

/// <summary>Tests that share one server; they run sequentially.</summary>
[CollectionDefinition(Name)]
public sealed class SharedServer : ICollectionFixture<ServerFixture>
{
    public const string Name = "one server";
}
