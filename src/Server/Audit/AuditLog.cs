using System.Threading.Channels;
using Embeddings.Primitives.Auditing;
using Embeddings.Server.Hosting;

namespace Embeddings.Server.Audit;

/// <summary>
/// Writes the audit log: one writer, which takes all records that wait and appends them with one write. Starts before the ports
/// open, and stops after they are closed.
/// </summary>
internal sealed class AuditLog(AuditOptions options, TimeProvider time, ILogger<AuditLog> log) : IHostedService, IDisposable
{
    private const int MaxWaiting = 8192;
    private const int MaxGroup = 1024;
    private const string Resumed = "resumed";

    private readonly Channel<Entry> _waiting = Channel.CreateBounded<Entry>(new BoundedChannelOptions(MaxWaiting) { SingleReader = true });
    private AuditFile? _file;
    private Task _writing = Task.CompletedTask;
    private ITimer? _sync;
    private long _lost;
    private bool _isFailing;

    /// <summary>True if the last write failed.</summary>
    public bool IsFailing => Volatile.Read(ref _isFailing);

    public Task StartAsync(CancellationToken cancellationToken)
    {
        if (options.File.Length == 0)
        {
            return Task.CompletedTask;
        }
        _file = new(options, time);
        if (_file.Recovery is { } recovery)
        {
            ServerLog.AuditRecovered(log, _file.Path, recovery.CutBytes, recovery.MissingLines);
        }
        _writing = Task.Run(WriteAllAsync, CancellationToken.None);
        if (options.SyncSeconds > 0)
        {
            var interval = TimeSpan.FromSeconds(options.SyncSeconds);
            _sync = time.CreateTimer(_ => Sync(), null, interval, interval);
        }
        return Task.CompletedTask;
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        if (_file is not null && _waiting.Writer.TryWrite(new(new("closed", time.GetUtcNow()), null)))
        {
            _waiting.Writer.TryComplete();
            await _writing.WaitAsync(cancellationToken);
            Sync();
        }
    }

    /// <summary>Adds a record. Waits only while very many are in the queue.</summary>
    public ValueTask AddAsync(AuditRecord record) =>
        _waiting.Writer.TryWrite(new(record, null)) ? ValueTask.CompletedTask : EnqueueAsync(new(record, null));

    /// <summary>Adds a record and waits until the operating system has it; false if it could not be written.</summary>
    public async ValueTask<bool> FlushAsync(AuditRecord record)
    {
        var written = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        await EnqueueAsync(new(record, written));
        return await written.Task;
    }

    /// <summary>Tries to write again after a failure; true if the log can be written.</summary>
    public async ValueTask<bool> RetryAsync() => !IsFailing || await FlushAsync(new(Resumed, time.GetUtcNow()));

    public void Dispose()
    {
        _waiting.Writer.TryComplete();
        _sync?.Dispose();
        _file?.Dispose();
    }

    private async ValueTask EnqueueAsync(Entry entry)
    {
        try
        {
            await _waiting.Writer.WriteAsync(entry);
        }
        catch (ChannelClosedException)
        {
            // A call that outlived the shutdown.
            entry.Written?.TrySetResult(false);
        }
    }

    private async Task WriteAllAsync()
    {
        var entries = new List<Entry>(MaxGroup);
        while (await _waiting.Reader.WaitToReadAsync())
        {
            entries.Clear();
            while (entries.Count < MaxGroup && _waiting.Reader.TryRead(out var entry))
            {
                entries.Add(entry);
            }
            var isWritten = TryWrite(entries);
            foreach (var entry in entries)
            {
                entry.Written?.TrySetResult(isWritten);
            }
        }
    }

    private bool TryWrite(List<Entry> entries)
    {
        var records = entries.Select(static entry => entry.Record);
        // Attempts to write again are no lines of calls.
        var lost = _lost;
        _lost += entries.Count(static entry => entry.Record.Event != Resumed);
        try
        {
            _file!.Append(lost == 0
                ? records
                : records.Prepend(new(AuditLine.Lost, time.GetUtcNow()) { Numbers = [("lines", lost)] }));
            _lost = 0;
            if (options.SyncSeconds == 0)
            {
                _file.Sync();
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Volatile.Write(ref _isFailing, true);
            ServerLog.AuditFailed(log, e, options.File);
            return false;
        }
        if (IsFailing)
        {
            ServerLog.AuditContinued(log, options.File, lost);
            Volatile.Write(ref _isFailing, false);
        }
        return true;
    }

    private void Sync()
    {
        try
        {
            _file!.Sync();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ObjectDisposedException)
        {
            Volatile.Write(ref _isFailing, true);
            ServerLog.AuditFailed(log, e, options.File);
        }
    }

    private readonly record struct Entry(AuditRecord Record, TaskCompletionSource<bool>? Written);
}
