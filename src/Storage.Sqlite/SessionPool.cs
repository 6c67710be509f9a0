using System.Collections.Concurrent;
using Microsoft.Data.Sqlite;

namespace Embeddings.Storage.Sqlite;

/// <summary>
/// The connections for reading. SQLite's calls block, so they run on the thread pool, a limited number at a time.
/// </summary>
internal sealed class SessionPool(Func<SqliteSession> open, int size) : IAsyncDisposable
{
    private readonly ConcurrentBag<SqliteSession> _idle = [];
    private readonly SemaphoreSlim _permits = new(size);

    /// <summary>
    /// Runs work in a read transaction, so that all its statements see the same state of the file. Cancellation
    /// interrupts it.
    /// </summary>
    public async Task<T> RunAsync<T>(Func<SqliteSession, T> work, CancellationToken cancellationToken)
    {
        await _permits.WaitAsync(cancellationToken);
        try
        {
            return await Task.Run(() => Run(work, cancellationToken), cancellationToken);
        }
        finally
        {
            _permits.Release();
        }
    }

    /// <summary>Waits for running work and closes the connections.</summary>
    public async ValueTask DisposeAsync()
    {
        for (var i = 0; i < size; i++)
        {
            await _permits.WaitAsync();
        }

        while (_idle.TryTake(out var session))
        {
            session.Dispose();
        }

        _permits.Release(size);
    }

    private T Run<T>(Func<SqliteSession, T> work, CancellationToken cancellationToken)
    {
        try
        {
            var session = _idle.TryTake(out var idle) ? idle : open();
            try
            {
                using var interrupt = cancellationToken.UnsafeRegister(
                    static state => SQLitePCL.raw.sqlite3_interrupt((SQLitePCL.sqlite3)state!), session.Connection.Handle);
                session.Execute("BEGIN");
                cancellationToken.ThrowIfCancellationRequested();
                return work(session);
            }
            finally
            {
                // Not a SqliteTransaction: prepared commands would keep a reference to it. No interrupt can occur here
                // any more.
                session.EndTransaction();
                _idle.Add(session);
            }
        }
        catch (SqliteException exception)
        {
            cancellationToken.ThrowIfCancellationRequested();
            throw SqliteFaults.ToFault(exception);
        }
    }
}
