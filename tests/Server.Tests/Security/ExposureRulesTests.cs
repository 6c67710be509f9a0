using Embeddings.Server.Hosting;
using Embeddings.Server.Security;
using Microsoft.Extensions.Options;

namespace Embeddings.Server.Tests.Security;

/// <summary>Requirements for listening on an address that other machines can reach.</summary>
public sealed class ExposureRulesTests
{
    private static readonly TlsOptions Off = new();
    private static readonly TlsOptions On = new() { CertificateFile = "server.crt" };

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("127.1.2.3")]
    [InlineData("::1")]
    [InlineData("localhost")]
    public void This_machine_needs_nothing(string listen) =>
        Assert.Null(ExposureRules.Failure(new() { Listen = listen }, Off, authenticationOn: false));

    [Theory]
    [InlineData("*")]
    [InlineData("0.0.0.0")]
    [InlineData("::")]
    [InlineData("10.0.0.1")]
    [InlineData("::ffff:10.0.0.1")]
    public void Another_address_needs_TLS_and_authentication(string listen)
    {
        var server = new ServerOptions { Listen = listen };
        Assert.Equal(
            $"Server:Listen is '{listen}', which other machines can reach, and the server is without TLS and authentication. Set "
            + "Server:Tls:CertificateFile and Server:Tls:KeyFile to a certificate and its key; and set Security:KeysFile to a file of API "
            + "keys, Security:Jwt, or Server:Tls:ClientCertificates to Required. If the network is trusted or a proxy does this, set "
            + "Server:AllowInsecure to true; for this machine only, set Server:Listen to 127.0.0.1.",
            ExposureRules.Failure(server, Off, authenticationOn: false));
        Assert.Contains("is without authentication. Set Security:KeysFile", ExposureRules.Failure(server, On, authenticationOn: false), StringComparison.Ordinal);
        Assert.Contains("is without TLS. Set Server:Tls:CertificateFile", ExposureRules.Failure(server, Off, authenticationOn: true), StringComparison.Ordinal);
        Assert.Null(ExposureRules.Failure(server, On, authenticationOn: true));
        Assert.Null(ExposureRules.Failure(server with { AllowInsecure = true }, Off, authenticationOn: false));
    }

    [Fact]
    public void A_server_is_not_created_without_them()
    {
        var error = Assert.Throws<OptionsValidationException>(() => EmbeddingsServer.Create(["--Server:Listen=0.0.0.0", "--Models:UseDefaults=false"]));
        Assert.StartsWith("Server:Listen is '0.0.0.0', which other machines can reach", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null, false, true)]
    [InlineData(null, true, false)]
    [InlineData(true, true, true)]
    [InlineData(false, false, false)]
    public void Reflection_follows_authentication_unless_it_is_set(bool? setting, bool authenticationOn, bool expected) =>
        Assert.Equal(expected, ExposureRules.ReflectionOn(new() { Reflection = setting }, authenticationOn));
}
