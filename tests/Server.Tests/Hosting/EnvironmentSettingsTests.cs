using Embeddings.Server.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;

namespace Embeddings.Server.Tests.Hosting;

/// <summary>Settings in environment variables, which all tests of this process share.</summary>
[CollectionDefinition(nameof(EnvironmentSettingsTests), DisableParallelization = true)]
[Collection(nameof(EnvironmentSettingsTests))]
public sealed class EnvironmentSettingsTests
{
    [Theory]
    [InlineData("Sever__GrpcPort", "Sever:GrpcPort is not a setting: there is no section Sever. Did you mean Server:GrpcPort?")]
    [InlineData("Server__GrpcProt", "Server:GrpcProt is not a setting. Did you mean Server:GrpcPort?")]
    [InlineData("Server__GrpcPort", "Server:GrpcPort must be between 0 and 65535; got 'many'.")]
    [InlineData("Server_GrpcPort", "EMBEDDINGS_Server_GrpcPort must have two underscores between section and setting: EMBEDDINGS_Server__GrpcPort.")]
    [InlineData(
        "STORE_QDRANT_URL",
        "EMBEDDINGS_STORE_QDRANT_URL must have two underscores between section and setting: EMBEDDINGS_STORE__QDRANT__URL.")]
    public void A_misspelt_or_wrong_environment_variable_is_rejected(string name, string message) =>
        Assert.Equal(message, Assert.Throws<OptionsValidationException>(() => Read(name, "many")).Message);

    [Theory]
    // As Kubernetes sets them for a service of this name.
    [InlineData("PORT", "tcp://10.0.0.1:50051")]
    [InlineData("SERVICE_PORT_GRPC", "50051")]
    [InlineData("Server__GrpcPort", "50052")]
    public void Another_or_a_right_environment_variable_is_accepted(string name, string value) =>
        Assert.NotNull(Read(name, value));

    private static ConfigurationManager Read(string name, string value)
    {
        Environment.SetEnvironmentVariable($"EMBEDDINGS_{name}", value);
        try
        {
            return new ConfigurationManager().AddSettings([]);
        }
        finally
        {
            Environment.SetEnvironmentVariable($"EMBEDDINGS_{name}", null);
        }
    }
}
