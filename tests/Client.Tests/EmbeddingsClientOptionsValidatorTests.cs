namespace Embeddings.Client.Tests;

public sealed class EmbeddingsClientOptionsValidatorTests
{
    public static TheoryData<string, EmbeddingsClientOptions> Bad => new()
    {
        { "Addresses", new EmbeddingsClientOptions() },
        { "Addresses", Of("") },
        { "Addresses", Of("ftp://host:1") },
        { "Addresses", Of("host:99999") },
        { "Addresses", Of("http://host:1/path") },
        { "Addresses", Of("http://user@host:1") },
        { "Addresses", Of("http://a:1", "https://b:1") },
        { "Addresses", new EmbeddingsClientOptions { Addresses = null! } },
        { "MaxInFlight", Of("a") with { MaxInFlight = 0 } },
        { "MaxItemsPerMessage", Of("a") with { MaxItemsPerMessage = 0 } },
        { "MaxItemsPerMessage", Of("a") with { MaxItemsPerMessage = 1_001 } },
        { "MaxBytesPerMessage", Of("a") with { MaxBytesPerMessage = 0 } },
        { "MaxBytesPerMessage", Of("a") with { MaxBytesPerMessage = (4 << 20) + 1 } },
        { "BatchDelay", Of("a") with { BatchDelay = TimeSpan.FromMilliseconds(-1) } },
        { "BatchDelay", Of("a") with { BatchDelay = TimeSpan.FromMilliseconds(1_001) } },
        { "Deadline", Of("a") with { Deadline = TimeSpan.Zero } },
        { "MaxMessageBytes", Of("a") with { MaxMessageBytes = 0 } },
        { "MaxRetries", Of("a") with { MaxRetries = -1 } },
        { "MaxReconnects", Of("a") with { MaxReconnects = -1 } },
        { "ReconnectDelay", Of("a") with { ReconnectDelay = TimeSpan.FromHours(1) } },
        { "MaxReconnectDelay", Of("a") with { MaxReconnectDelay = TimeSpan.FromMilliseconds(10) } },
        { "LoadBalancing", Of("a") with { LoadBalancing = (LoadBalancing)9 } },
        { "Headers", With("X-Upper", "a") },
        { "Headers", With("", "a") },
        { "Headers", With("grpc-timeout", "a") },
        { "Headers", With("token-bin", "a") },
        { "Headers", With("x-tenant", "line\nbreak") },
        { "Headers", Of("a") with { Headers = null! } },
        { "HttpHandler", Of("a", "b") with { HttpHandler = new SocketsHttpHandler() } },
        { "HttpHandler", Of("a") with { HttpHandler = new SocketsHttpHandler(), ConfigureHandler = _ => { } } },
        { "KeepAliveDelay", Of("a") with { KeepAliveDelay = TimeSpan.Zero } },
    };

    [Theory]
    [MemberData(nameof(Bad))]
    public void TheErrorNamesTheOptionThatIsOutOfRange(string name, EmbeddingsClientOptions options)
    {
        var error = Assert.Throws<ArgumentException>(() => new EmbeddingsClient(options));

        Assert.Contains(name, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TheErrorHasTheUsualForm()
    {
        var options = Of("a") with { MaxInFlight = 70_000, ConnectTimeout = TimeSpan.Zero };
        var error = Assert.Throws<ArgumentException>(() => new EmbeddingsClient(options));

        Assert.StartsWith(
            "MaxInFlight must be between 1 and 65536; got 70000. "
            + "ConnectTimeout must be between 00:00:00.001 and 01:00:00; got 00:00:00.",
            error.Message,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("localhost", "http://localhost:50051/")]
    [InlineData("localhost:80", "http://localhost:80/")]
    [InlineData("127.0.0.1:8080", "http://127.0.0.1:8080/")]
    [InlineData("[::1]:8080", "http://[::1]:8080/")]
    [InlineData("[::1]", "http://[::1]:50051/")]
    [InlineData("http://host", "http://host:50051/")]
    [InlineData(" https://host:443/ ", "https://host:443/")]
    [InlineData("https://host", "https://host:50051/")]
    public void AddressesCanOmitSchemeAndPort(string address, string endpoint)
    {
        var uri = Assert.Single(EmbeddingsClientOptionsValidator.Endpoints(Of(address)));

        Assert.Equal(new Uri(endpoint), uri);
    }

    [Fact]
    public void AnErrorOfAHeaderDoesNotContainItsValue()
    {
        var error = Assert.Throws<ArgumentException>(() => new EmbeddingsClient(With("authorization", "secr\u00e9t")));

        Assert.Contains("'authorization'", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secr", error.Message, StringComparison.Ordinal);
    }

    private static EmbeddingsClientOptions With(string header, string value) =>
        Of("a") with { Headers = new Dictionary<string, string> { [header] = value } };

    private static EmbeddingsClientOptions Of(params string[] addresses) => new() { Addresses = addresses };
}
