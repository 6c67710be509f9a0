using System.Collections.Concurrent;
using Embeddings.Server.Security;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace Embeddings.Server.Tests.Security;

/// <summary>Replaced files, and certificates that expire.</summary>
public sealed class TlsCertificatesTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly TestAuthority _authority = new();
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UtcNow);
    private readonly Log _log = new();

    public void Dispose()
    {
        _authority.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void A_replaced_certificate_is_loaded_and_an_unchanged_one_is_not()
    {
        using var certificates = Create("CN=first");
        Assert.Equal("CN=first", certificates.Current.Certificate.Subject);
        var first = certificates.Current;
        certificates.Check();
        Assert.Same(first, certificates.Current);
        // The same content with another time.
        File.SetLastWriteTimeUtc(_folder.File("server.crt"), DateTime.UtcNow.AddHours(1));
        certificates.Check();
        Assert.Same(first, certificates.Current);

        Write("CN=second");
        certificates.Check();
        Assert.Equal("CN=second", certificates.Current.Certificate.Subject);
        Assert.Equal(["CertificateLoaded"], _log.Names);
    }

    [Fact]
    public void A_file_that_cannot_be_used_keeps_the_certificate_and_is_reported_once()
    {
        using var certificates = Create("CN=first");
        var first = certificates.Current;
        _folder.Write("server.crt", "nonsense");
        for (var i = 0; i < 5; i++)
        {
            certificates.Check();
            Assert.Same(first, certificates.Current);
        }
        Assert.Equal(["CertificateNotLoaded"], _log.Names);
        File.Delete(_folder.File("server.crt"));
        certificates.Check();
        certificates.Check();
        Assert.Equal(["CertificateNotLoaded", "CertificateNotLoaded"], _log.Names);
        Assert.Contains("the file does not exist", _log.Texts[^1], StringComparison.Ordinal);

        Write("CN=second");
        certificates.Check();
        Assert.Equal("CN=second", certificates.Current.Certificate.Subject);
    }

    [Fact]
    public void A_key_that_follows_its_certificate_is_not_reported()
    {
        using var certificates = Create("CN=first");
        _ = certificates.Current;
        using var second = _authority.Issue("CN=second");
        _folder.Write("server.crt", second.Pem);
        certificates.Check();
        Assert.Equal("CN=first", certificates.Current.Certificate.Subject);
        _folder.Write("server.key", second.KeyPem);
        certificates.Check();
        Assert.Equal("CN=second", certificates.Current.Certificate.Subject);
        Assert.Equal(["CertificateLoaded"], _log.Names);
    }

    [Fact]
    public void A_link_to_another_folder_is_followed()
    {
        // As Kubernetes mounts a secret: files are links into a folder that is a link itself.
        foreach (var (folder, subject) in new[] { ("v1", "CN=first"), ("v2", "CN=second") })
        {
            using var certificate = _authority.Issue(subject);
            _folder.Write($"{folder}/server.crt", certificate.Pem);
            _folder.Write($"{folder}/server.key", certificate.KeyPem);
        }
        Directory.CreateSymbolicLink(_folder.File("data"), "v1");
        File.CreateSymbolicLink(_folder.File("server.crt"), "data/server.crt");
        File.CreateSymbolicLink(_folder.File("server.key"), "data/server.key");
        using var certificates = Create(null);
        Assert.Equal("CN=first", certificates.Current.Certificate.Subject);
        Directory.Delete(_folder.File("data"));
        Directory.CreateSymbolicLink(_folder.File("data"), "v2");
        certificates.Check();
        Assert.Equal("CN=second", certificates.Current.Certificate.Subject);
    }

    [Fact]
    public void An_expiry_within_30_days_is_reported_once_a_day()
    {
        using var certificates = Create("CN=short", _time.GetUtcNow().AddDays(32));
        _ = certificates.Current;
        certificates.Check();
        Assert.Empty(_log.Names);
        _time.Advance(TimeSpan.FromDays(3));
        for (var i = 0; i < 4; i++)
        {
            certificates.Check();
        }
        _time.Advance(TimeSpan.FromDays(1));
        certificates.Check();
        Assert.Equal(["CertificateExpires", "CertificateExpires"], _log.Names);
        Assert.Contains("The certificate 'CN=short' expires on ", _log.Texts[0], StringComparison.Ordinal);
        Assert.Contains("in 28 days", _log.Texts[0], StringComparison.Ordinal);

        _time.Advance(TimeSpan.FromDays(30));
        certificates.Check();
        Assert.Contains("The certificate 'CN=short' expired on ", _log.Texts[^1], StringComparison.Ordinal);
    }

    private TlsCertificates Create(string? subject, DateTimeOffset? to = null)
    {
        if (subject is not null)
        {
            Write(subject, to);
        }
        var options = new TlsOptions { CertificateFile = _folder.File("server.crt"), KeyFile = _folder.File("server.key") };
        return new(options, _time, _log);
    }

    private void Write(string subject, DateTimeOffset? to = null)
    {
        using var certificate = _authority.Issue(subject, to: to);
        certificate.Write(_folder, "server");
    }

    private sealed class Log : ILogger<TlsCertificates>
    {
        private readonly ConcurrentQueue<(string? Name, string Text)> _events = new();

        public IReadOnlyList<string?> Names => [.. _events.Select(entry => entry.Name)];

        public IReadOnlyList<string> Texts => [.. _events.Select(entry => entry.Text)];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        void ILogger.Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            _events.Enqueue((eventId.Name, formatter(state, exception)));
    }
}
