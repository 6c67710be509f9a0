using Embeddings.Server.Hosting;

namespace Embeddings.Server.Security;

/// <summary>A file that is read again while the server runs.</summary>
internal interface IWatchedFile
{
    /// <summary>Reads the file again. If it is broken or missing, the last good content stays in use.</summary>
    void Refresh(ILogger log);
}

/// <summary>A file whose content is parsed when it changes.</summary>
internal sealed class WatchedFile<T> : IWatchedFile
    where T : class
{
    private readonly string _path;
    private readonly Func<byte[], string, T> _parse;
    private readonly Action<T>? _changed;
    private byte[] _content;
    private string _lastError = "";
    private T _current;

    /// <summary>Reads the file.</summary>
    /// <exception cref="SecurityFileException">It cannot be read or parsed.</exception>
    public WatchedFile(string path, Func<byte[], string, T> parse, Action<T>? changed = null)
    {
        (_path, _parse, _changed) = (path, parse, changed);
        _content = KeysFile.ReadBytes(path);
        _current = parse(_content, path);
    }

    /// <summary>The last good content.</summary>
    public T Current => Volatile.Read(ref _current);

    public void Refresh(ILogger log)
    {
        try
        {
            // Not the time of the last write: a Kubernetes secret is a link that is replaced, and times may be equal.
            var content = KeysFile.ReadBytes(_path);
            if (!content.AsSpan().SequenceEqual(_content))
            {
                var parsed = _parse(content, _path);
                _content = content;
                Volatile.Write(ref _current, parsed);
                _changed?.Invoke(parsed);
                ServerLog.SecurityFileLoaded(log, _path);
            }
            _lastError = "";
        }
        catch (SecurityFileException e)
        {
            // Once for each error.
            if (_lastError != e.Message)
            {
                _lastError = e.Message;
                ServerLog.SecurityFileRefused(log, e.Message);
            }
        }
    }
}

/// <summary>
/// Reads the files of section <c>Security</c> before a port opens, which an invalid file prevents, and then again and again.
/// </summary>
internal sealed class SecurityFiles(
    IEnumerable<IWatchedFile> files, SecurityOptions options, TimeProvider time, ILogger<SecurityFiles> log) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        List<IWatchedFile> watched = [.. files];
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(options.ReloadSeconds), time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                watched.ForEach(file => file.Refresh(log));
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The server stops.
        }
    }
}
