namespace Embeddings.IntegrationTests.Infrastructure;

/// <summary>The tests that share one server; xunit runs them one after the other.</summary>
[CollectionDefinition(Name)]
public sealed class SharedServer : ICollectionFixture<ServerFixture>
{
    public const string Name = "one server";
}
