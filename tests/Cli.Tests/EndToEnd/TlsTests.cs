using Embeddings.Cli.Hosting;

namespace Embeddings.Cli.Tests.EndToEnd;

/// <summary>The command over TLS, with client certificates and keys.</summary>
public sealed class TlsTests : IAsyncLifetime
{
    private readonly TempFolder _folder = new();
    private readonly TestAuthority _authority = new();
    private LocalServer? _server;

    private string Address => _server!.Address;

    private string Ca => _folder.File("ca.crt");

    public async ValueTask InitializeAsync()
    {
        _folder.Write("ca.crt", _authority.Pem);
        _server = await StartAsync("server", TimeSpan.FromDays(365));
    }

    public async ValueTask DisposeAsync()
    {
        await _server!.DisposeAsync();
        _authority.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task Commands_reach_a_server_whose_authority_is_named()
    {
        Assert.StartsWith("https://127.0.0.1:", Address, StringComparison.Ordinal);
        var models = await CommandResult.RunAsync("models", "list", "--address", Address, "--ca", Ca);
        Assert.Equal((ExitCode.Done, ""), (models.ExitCode, models.Error));
        Assert.NotEmpty(models.Lines);
    }

    [Fact]
    public async Task The_environment_names_authority_address_and_key()
    {
        var (code, output) = await ChildProcess.RunAsync(
            "dotnet",
            [Path.Combine(AppContext.BaseDirectory, "Embeddings.Cli.dll"), "models", "list"],
            environment: new Dictionary<string, string> { ["EMBEDDINGS_ADDRESS"] = Address, ["EMBEDDINGS_CA"] = Ca, ["EMBEDDINGS_API_KEY"] = "emb_1" });
        Assert.True(code == 0, output);
        // A file of the environment does not make an address without TLS invalid; a key does, except on this machine.
        (code, output) = await ChildProcess.RunAsync(
            "dotnet",
            [Path.Combine(AppContext.BaseDirectory, "Embeddings.Cli.dll"), "count", "--address", "10.255.255.1:1"],
            environment: new Dictionary<string, string> { ["EMBEDDINGS_CA"] = Ca, ["EMBEDDINGS_API_KEY"] = "emb_secret" });
        Assert.Equal(1, code);
        Assert.Contains("--api-key requires https:// addresses, because a key over http:// can be read in transit", output, StringComparison.Ordinal);
        Assert.DoesNotContain("emb_secret", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("count --address https://127.0.0.1:1 --ca missing.crt", "--ca 'missing.crt' cannot be read: ")]
    [InlineData("count --address 127.0.0.1:1 --ca missing.crt", "--ca requires https:// addresses; got 127.0.0.1:1.")]
    [InlineData("count --address https://127.0.0.1:1 --client-key missing.key", "--client-key requires --client-cert, the file of its certificate.")]
    [InlineData("count --address http://10.0.0.1:1 --api-key emb_secret", "--api-key requires https:// addresses")]
    [InlineData("count --address ::::", "--address must be HOST:PORT, or https://HOST:PORT for TLS; got '::::'.")]
    public async Task A_wrong_option_is_named(string arguments, string message)
    {
        var result = await CommandResult.RunAsync(arguments.Split(' '));
        Assert.Equal(ExitCode.Failed, result.ExitCode);
        Assert.StartsWith($"embeddings: {message}", Assert.Single(result.ErrorLines), StringComparison.Ordinal);
        Assert.DoesNotContain("emb_secret", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Errors_of_TLS_say_what_to_do()
    {
        var untrusted = await CommandResult.RunAsync("count", "--address", Address);
        Assert.StartsWith(
            $"embeddings: The certificate of the server at {Address} is not trusted. Set its certificate authority with --ca FILE",
            Assert.Single(untrusted.ErrorLines),
            StringComparison.Ordinal);

        var clear = await CommandResult.RunAsync("count", "--address", Address.Replace("https://", "http://", StringComparison.Ordinal));
        Assert.Contains("This port uses TLS. Use https:// instead of http://.", Assert.Single(clear.ErrorLines), StringComparison.Ordinal);

        await using var server = await LocalServer.StartAsync(RunningServer.Settings(_folder.File("clear")), quiet: true, default);
        var secure = await CommandResult.RunAsync("count", "--address", server.Address.Replace("http://", "https://", StringComparison.Ordinal));
        Assert.Contains("If the server is without TLS, use http:// in --address.", Assert.Single(secure.ErrorLines), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_client_certificate_is_sent()
    {
        await using var server = await StartAsync("mutual", TimeSpan.FromDays(365), $"--Server:Tls:ClientCaFile={Ca}", "--Server:Tls:ClientCertificates=Required");
        using var worker = _authority.Issue("CN=worker-1", TestAuthority.Client);
        var (certificate, key) = worker.Write(_folder, "worker");
        string[] command = ["models", "list", "--address", server.Address, "--ca", Ca];
        var missing = await CommandResult.RunAsync(command);
        Assert.Equal(ExitCode.Failed, missing.ExitCode);
        Assert.StartsWith("embeddings: UNAUTHENTICATED CERTIFICATE_MISSING: ", Assert.Single(missing.ErrorLines), StringComparison.Ordinal);
        Assert.EndsWith("--client-cert FILE --client-key FILE.", Assert.Single(missing.ErrorLines), StringComparison.Ordinal);
        var sent = await CommandResult.RunAsync([.. command, "--client-cert", certificate, "--client-key", key]);
        Assert.Equal((ExitCode.Done, ""), (sent.ExitCode, sent.Error));

        // Where authentication is on, reflection is off.
        var doctor = await CommandResult.RunAsync("doctor", "--address", server.Address, "--ca", Ca, "--client-cert", certificate, "--client-key", key);
        Assert.True(doctor.ExitCode == ExitCode.Done, doctor.Output);
        Assert.Contains(doctor.Lines, line => line.StartsWith("ok    reflection                   off", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_doctor_reports_the_certificate()
    {
        var good = await CommandResult.RunAsync("doctor", "--address", Address, "--ca", Ca);
        Assert.True(good.ExitCode == ExitCode.Done, good.Output);
        Assert.StartsWith("ok    connection                   TLS 1.3, certificate 'CN=localhost' until ", good.Lines[0], StringComparison.Ordinal);
        Assert.Equal("all checks passed", good.Lines[^1]);

        await using var server = await StartAsync("short", TimeSpan.FromDays(20.5));
        var expiring = await CommandResult.RunAsync("doctor", "--address", server.Address, "--ca", Ca);
        Assert.True(expiring.ExitCode == ExitCode.Done, expiring.Output);
        Assert.StartsWith("WARN  connection ", expiring.Lines[0], StringComparison.Ordinal);
        Assert.Contains("which is in 20 days. Renew it.", expiring.Lines[0], StringComparison.Ordinal);
        Assert.Equal("all checks passed, 1 warning", expiring.Lines[^1]);

        var untrusted = await CommandResult.RunAsync("doctor", "--address", Address, "--json");
        Assert.Equal(ExitCode.Failed, untrusted.ExitCode);
        var check = untrusted.Objects[0];
        Assert.Equal(("connection", "fail"), (check.GetProperty("check").GetString(), check.GetProperty("verdict").GetString()));
        Assert.Contains("remote certificate is invalid", check.GetProperty("detail").GetString(), StringComparison.Ordinal);
    }

    private Task<LocalServer> StartAsync(string name, TimeSpan lifetime, params string[] args)
    {
        using var issued = _authority.Issue(to: DateTimeOffset.UtcNow + lifetime);
        var (certificate, key) = issued.Write(_folder, name);
        return LocalServer.StartAsync(
            [.. RunningServer.Settings(_folder.File($"{name}.data")), $"--Server:Tls:CertificateFile={certificate}", $"--Server:Tls:KeyFile={key}", .. args],
            quiet: true,
            default);
    }
}
