using Embeddings.Core;
using Embeddings.Core.Inference;
using Embeddings.Core.Models;
using Embeddings.Server.Hosting;
using Embeddings.Storage.Qdrant;
using Embeddings.Storage.Sqlite;
using Grpc.AspNetCore.Server;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Embeddings.Server.Tests.Hosting;

public sealed class SettingsTests
{
    [Theory]
    [InlineData("Server:GrpcPort=70000", "Server:GrpcPort must be between 0 and 65535; got '70000'.")]
    [InlineData("Server:GrpcPort=abc", "Server:GrpcPort must be between 0 and 65535; got 'abc'.")]
    [InlineData("Server:Listen=nowhere", "Server:Listen must be an IP address, 'localhost', or '*'; got 'nowhere'.")]
    [InlineData("Batching:QueueLimit=0", "Batching:QueueLimit must be between 1 and 1000000; got '0'.")]
    [InlineData("Models:IdleUnload=31.00:00:00", "Models:IdleUnload must be between 00:00:00 and 30.00:00:00; got '31.00:00:00'.")]
    [InlineData("Models:Lazy=perhaps", "Models:Lazy must be true or false; got 'perhaps'.")]
    [InlineData("Models:Directories=here", "Models:Directories is a list; set Models:Directories:0, Models:Directories:1, and so on.")]
    [InlineData("Store:Kind=Cloud", "Store:Kind must be one of Embedded, Qdrant; got 'Cloud'.")]
    [InlineData("Store:Kind=17", "Store:Kind must be one of Embedded, Qdrant; got '17'.")]
    [InlineData("Store:Kind:Name=1", "Store:Kind must be a single value; got a section.")]
    [InlineData("Store:Embedded:Directory=", "Store:Embedded:Directory must not be empty; got ''.")]
    [InlineData(
        "Store:Qdrant:NewCollections:WriteConsistency=2",
        "Store:Qdrant:NewCollections:WriteConsistency must be at most Replicas (1); got 2.")]
    [InlineData("Telemetry:OtlpEndpoint=here", "Telemetry:OtlpEndpoint must be an http:// or https:// URL; got 'here'.")]
    [InlineData(
        "Telemetry:Nonsense=1",
        "Telemetry:Nonsense is not a setting. The settings of section Telemetry are OtlpEndpoint, OtlpHttp, ExportSeconds.")]
    [InlineData(
        "Cloud:Region=1",
        "Cloud:Region is not a setting: there is no section Cloud. The sections are Server, Models, Inference, Batching, Imaging, Memory, Persons, Security, Privacy, Store, Telemetry, Audit, and Logging.")]
    [InlineData("Security:Jwt:Audience=here", "Security:Jwt:Issuer must be set, too, to accept tokens.")]
    [InlineData("Security:ReloadSeconds=0", "Security:ReloadSeconds must be between 1 and 3600; got '0'.")]
    [InlineData("Sever:GrpcPort=1", "Sever:GrpcPort is not a setting: there is no section Sever. Did you mean Server:GrpcPort?")]
    [InlineData("Server:GrpcProt=1", "Server:GrpcProt is not a setting. Did you mean Server:GrpcPort?")]
    [InlineData("Store:Qdrnt:ApiKey=secret", "Store:Qdrnt:ApiKey is not a setting. Did you mean Store:Qdrant:ApiKey?")]
    [InlineData("Server:QueueLimit=1", "Server:QueueLimit is not a setting. Did you mean Batching:QueueLimit?")]
    [InlineData("GrpcPort=1", "GrpcPort is not a setting. Did you mean Server:GrpcPort?")]
    [InlineData("Server=1", "Server is a section; set Server:Key.")]
    [InlineData("Logging:LogLevel:Default=Loud", "Logging:LogLevel:Default must be one of Trace, Debug, Information, Warning, Error, Critical, None; got 'Loud'.")]
    [InlineData("Logging:Console:LogToStandardErrorThreshold=5x", "Logging:Console:LogToStandardErrorThreshold must be one of Trace, Debug, Information, Warning, Error, Critical, None; got '5x'.")]
    [InlineData("Logging:Console:MaxQueueLength=many", "Logging:Console:MaxQueueLength must be a number; got 'many'.")]
    [InlineData("Logging:Console:QueueFullMode=Drop", "Logging:Console:QueueFullMode must be one of Wait, DropWrite; got 'Drop'.")]
    [InlineData("Logging:Console:FormatterOptions:SingleLine=perhaps", "Logging:Console:FormatterOptions:SingleLine must be true or false; got 'perhaps'.")]
    [InlineData("Logging:Cosole:FormatterName=json", "Logging:Cosole is not a setting. Did you mean Logging:Console?")]
    [InlineData("Models:Directories:0:Path=here", "Models:Directories:0 must be a single value; got a section.")]
    [InlineData("Logging:Console:FormatterName=jsn", "Logging:Console:FormatterName must be one of simple, systemd, json; got 'jsn'.")]
    public void A_bad_setting_is_rejected_with_its_name_value_and_range(string argument, string message) =>
        Assert.Equal(message, Assert.Throws<OptionsValidationException>(() => ReadAll(argument)).Message);

    [Theory]
    [InlineData("Url=localhost:6334", "Url")]
    [InlineData("Url=ftp://host", "Url")]
    [InlineData("Urls:0=localhost:6334", "Urls must be http://host:port or https://host:port; got 'localhost:6334'.")]
    [InlineData("Urls=http://q:6334", "Store:Qdrant:Urls is a list")]
    [InlineData("MaxIndexedAttributes=1001", "MaxIndexedAttributes")]
    [InlineData("CertificateThumbprint=abc", "CertificateThumbprint")]
    [InlineData("CaFile=/no/such/file.pem", "CaFile")]
    [InlineData("MaxUpsertPoints=0", "MaxUpsertPoints")]
    [InlineData("MaxUpsertBytes=99999999", "MaxUpsertBytes")]
    [InlineData("Ack=Perhaps", "Ack")]
    [InlineData("ReadTimeoutSeconds=0", "ReadTimeoutSeconds")]
    [InlineData("Nonsense=1", "Nonsense")]
    public void Bad_settings_of_Qdrant_are_rejected_by_name(string setting, string name)
    {
        var error = Assert.Throws<OptionsValidationException>(
            () => Read<QdrantStoreOptions>($"Store:Qdrant:{setting}", "Store:Qdrant:NewCollections:Shards=2"));
        Assert.StartsWith("Store:Qdrant:", error.Message, StringComparison.Ordinal);
        Assert.Contains(name, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_nodes_of_Qdrant_must_have_one_scheme()
    {
        var error = Assert.Throws<OptionsValidationException>(
            () => Read<QdrantStoreOptions>("Store:Qdrant:Urls:0=http://a:6334", "Store:Qdrant:Urls:1=https://b:6334"));
        Assert.Equal("Store:Qdrant: Urls must all be http:// or all be https://; got http://a:6334, https://b:6334.", error.Message);
    }

    [Fact]
    public void Good_settings_are_read()
    {
        Assert.Equal(
            [new("http://a:6334"), new("http://b:6334")],
            Read<QdrantStoreOptions>("Store:Qdrant:Urls:0=http://a:6334", "Store:Qdrant:Urls:1=http://b:6334").Addresses);
        Assert.Equal("https://q:6334", Read<QdrantStoreOptions>("Store:Qdrant:Url=https://q:6334").Url);
        Assert.Equal(AckLevel.Accepted, Read<QdrantStoreOptions>("Store:Qdrant:Ack=accepted").Ack);
        Assert.Equal(2, Read<QdrantCollectionOptions>("Store:Qdrant:NewCollections:Shards=2").Shards);
        Assert.Equal(["a", "b"], Read<ModelOptions>("Models:Directories:0=a", "Models:Directories:1=b").Directories);
        Assert.Equal(TimeSpan.FromSeconds(1.5), Read<ModelOptions>("models:idleunload=00:00:01.5").IdleUnload);
        Assert.Equal("here", Read<EmbeddedStoreOptions>("Store:Embedded:Directory=here", "Logging:LogLevel:Default=None").Directory);
        Assert.True(Read<InferenceOptions>("Inference:BatchBuckets=true").BatchBuckets);
    }

    [Theory]
    [InlineData("cpu", ExecutionProvider.Cpu)]
    [InlineData("cuda", ExecutionProvider.Cuda)]
    [InlineData("tensorrt", ExecutionProvider.TensorRt)]
    [InlineData("dml", ExecutionProvider.Dml)]
    [InlineData("coreml", ExecutionProvider.CoreMl)]
    [InlineData("openvino", ExecutionProvider.OpenVino)]
    public void Providers_have_the_names_of_the_documentation(string name, object expected)
    {
        var provider = (ExecutionProvider)expected;
        var options = Read<InferenceOptions>($"Inference:Provider={name}", "Inference:ArenaBytes=1000");
        Assert.Equal((provider, 1000, false), (options.Provider, options.ArenaBytes, options.AllowCpuFallback));
        Assert.Equal(name, ProviderSetup.Word(provider));
    }

    [Theory]
    [InlineData("Provider=vulkan")]
    [InlineData("Provider=17")]
    [InlineData("ArenaBytes=-1")]
    [InlineData("Device=65")]
    public void Unknown_providers_and_devices_are_rejected(string setting) =>
        Assert.Throws<OptionsValidationException>(() => Read<InferenceOptions>($"Inference:{setting}"));

    [Theory]
    [InlineData("nonsense", "Argument 'nonsense' is not a setting. A setting is --Section:Key=value.")]
    [InlineData("-p=1", "Argument '-p=1' is not a setting. A setting is --Section:Key=value.")]
    [InlineData("--Server:GrpcPort", "Argument '--Server:GrpcPort' has no value. A setting is --Section:Key=value.")]
    public void An_argument_that_is_not_a_setting_is_rejected(string argument, string message) =>
        Assert.Equal(message, Assert.Throws<OptionsValidationException>(() => EmbeddingsServer.Create(["--Server:HttpPort", "-1", argument])).Message);

    [Theory]
    [InlineData("{\n  \"Server\": {\n    \"GrpcPort\": 1\n    \"HttpPort\": 2\n  }\n}", "appsettings.json': line 4, column 5: ")]
    [InlineData("{\n  \"Server\": {", "appsettings.json': line 2, column 14: ")]
    [InlineData("[]", "appsettings.json': ")]
    [InlineData("{ \"Sever\": { \"GrpcPort\": 1 } }", "Sever:GrpcPort is not a setting: there is no section Sever. Did you mean Server:GrpcPort?")]
    [InlineData("{ \"GrpcPort\": 1 }", "GrpcPort is not a setting. Did you mean Server:GrpcPort?")]
    [InlineData("{ \"Server\": { \"GrpcPort\": \"a\" } }", "Server:GrpcPort must be between 0 and 65535; got 'a'.")]
    public async Task An_error_in_the_file_of_settings_stops_the_start_with_its_position_or_name(string json, string message)
    {
        using var folder = new TempFolder();
        folder.Write("appsettings.json", json);
        using var error = new StringWriter();
        Assert.Equal(1, await EmbeddingsServer.RunAsync([$"--contentRoot={folder.Path}"], error));
        Assert.StartsWith("embeddings: ", error.ToString(), StringComparison.Ordinal);
        Assert.Contains(message, error.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("System.", error.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("Microsoft.", error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_value_of_the_wrong_kind_is_rejected_without_types()
    {
        foreach (var (path, property) in
            from section in Settings.Sections
            from property in section.Type.GetProperties()
            where property.PropertyType != typeof(string) && property.PropertyType != typeof(IReadOnlyList<string>)
            select ($"{section.Name}:{property.Name}", property))
        {
            var message = Assert.Throws<OptionsValidationException>(() => ReadAll($"{path}=wrong")).Message;
            Assert.StartsWith($"{path} must be ", message, StringComparison.Ordinal);
            Assert.EndsWith("got 'wrong'.", message, StringComparison.Ordinal);
            Assert.DoesNotContain(property.PropertyType.Name, message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_file_with_the_schema_and_values_of_the_host_is_accepted()
    {
        using var folder = new TempFolder();
        folder.Write("appsettings.json", """{ "$schema": "./a.json", "AllowedHosts": "*", "Logging": { "LogLevel": { "Default": "None" } } }""");
        await using var app = EmbeddingsServer.Create([$"--contentRoot={folder.Path}", "--environment=Staging", "--Models:UseDefaults=false"]);
        Assert.Equal("Staging", app.Environment.EnvironmentName);
    }

    [Fact]
    public async Task A_bad_value_fails_the_start_of_the_server()
    {
        await using var app = EmbeddingsServer.Create(
            ["--Imaging:MaxSide=0", "--Models:UseDefaults=false", "--Server:GrpcPort=0", "--Server:HttpPort=-1"]);
        var error = await Assert.ThrowsAsync<OptionsValidationException>(() => app.StartAsync());
        Assert.Equal("Imaging:MaxSide must be between 1 and 65535; got '0'.", error.Message);
    }

    [Fact]
    public async Task Limits_reach_the_web_server()
    {
        await using var app = EmbeddingsServer.Create(
            ["--Server:MaxConnections=7", "--Server:MaxStreamsPerConnection=5", "--Server:MaxMessageBytes=100000"]);
        var kestrel = app.Services.GetRequiredService<IOptions<KestrelServerOptions>>().Value;
        Assert.Equal((7, 5), (kestrel.Limits.MaxConcurrentConnections, kestrel.Limits.Http2.MaxStreamsPerConnection));
        Assert.Equal(100_000, app.Services.GetRequiredService<IOptions<GrpcServiceOptions>>().Value.MaxReceiveMessageSize);
    }

    private static T Read<T>(params string[] settings)
        where T : class
    {
        using var services = Services(settings);
        return services.GetRequiredService<T>();
    }

    private static void ReadAll(params string[] settings)
    {
        using var services = Services(settings);
        foreach (var section in Settings.Sections)
        {
            services.GetRequiredService(section.Type);
        }
    }

    private static ServiceProvider Services(string[] settings) => new ServiceCollection()
        .AddSingleton<IConfiguration>(new ConfigurationManager().AddSettings([.. settings.Select(setting => $"--{setting}")]))
        .AddSettings()
        .BuildServiceProvider();
}
