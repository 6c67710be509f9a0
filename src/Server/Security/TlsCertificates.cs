using Embeddings.Server.Hosting;

namespace Embeddings.Server.Security;

/// <summary>
/// The certificate and the authorities in use. Changed files are loaded within seconds: new connections use them, open ones stay. A
/// file that cannot be used is reported, and the certificate before it stays in use.
/// </summary>
internal sealed class TlsCertificates(TlsOptions options, TimeProvider time, ILogger<TlsCertificates> log) : BackgroundService
{
    /// <summary>Interval of the checks for changed files.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    /// <summary>Time before the end of a certificate from which its expiry is reported.</summary>
    public static readonly TimeSpan Notice = TimeSpan.FromDays(30);

    private static readonly TimeSpan Day = TimeSpan.FromDays(1);

    private readonly Lock _lock = new();
    private TlsMaterial? _current;
    private string? _digest;
    private string? _failure;
    private int _failures;
    private DateTimeOffset _noticed = DateTimeOffset.MinValue;

    /// <summary>The material in use; only with TLS. It is loaded at the first use.</summary>
    /// <exception cref="TlsException">At the first use: a file cannot be used.</exception>
    public TlsMaterial Current => Volatile.Read(ref _current) ?? Load(TlsFiles.Read(options));

    /// <summary>
    /// Returns the warning of a certificate that expires within <see cref="Notice"/> or has expired, for the log and for checks; null
    /// if it does not.
    /// </summary>
    public static string? ExpiryWarning(string subject, DateTimeOffset expires, DateTimeOffset now)
    {
        if (expires - now > Notice)
        {
            return null;
        }
        return expires <= now
            ? $"The certificate '{subject}' expired on {expires:yyyy-MM-dd HH:mm} UTC"
            : $"The certificate '{subject}' expires on {expires:yyyy-MM-dd HH:mm} UTC, in {Math.Floor((expires - now).TotalDays):F0} days";
    }

    /// <summary>Loads the files if they have changed, and reports an expiry once a day.</summary>
    public void Check()
    {
        try
        {
            var files = TlsFiles.Read(options);
            if (files.Digest() != _digest)
            {
                var loaded = Load(files);
                _noticed = DateTimeOffset.MinValue;
                ServerLog.CertificateLoaded(log, loaded.Certificate.Subject, loaded.Expires.UtcDateTime);
            }
            (_failure, _failures) = (null, 0);
        }
        catch (TlsException e)
        {
            // Certificate and key are two files, which do not fit while only one of them is replaced: reported if it lasts.
            (_failure, _failures) = (e.Message, _failure == e.Message ? _failures + 1 : 1);
            if (_failures == 2)
            {
                ServerLog.CertificateNotLoaded(log, e.Message);
            }
        }
        WarnOfExpiry();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!options.IsOn)
        {
            return;
        }
        WarnOfExpiry();
        using var timer = new PeriodicTimer(Interval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                Check();
            }
        }
        catch (OperationCanceledException)
        {
            // Expected: the host stops, or is disposed without having been stopped.
        }
    }

    // Connections that have the material before it keep it alive.
    private TlsMaterial Load(TlsFiles files)
    {
        lock (_lock)
        {
            var material = TlsMaterial.Load(options, files, time.GetUtcNow());
            _digest = files.Digest();
            Volatile.Write(ref _current, material);
            return material;
        }
    }

    private void WarnOfExpiry()
    {
        var now = time.GetUtcNow();
        if (now - _noticed >= Day && ExpiryWarning(Current.Certificate.Subject, Current.Expires, now) is { } warning)
        {
            _noticed = now;
            ServerLog.CertificateExpires(log, warning);
        }
    }
}
