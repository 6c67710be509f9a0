using System.Collections.Concurrent;
using Microsoft.Data.Sqlite;

namespace Embeddings.Storage.Sqlite;

/// <summary>
/// The connections for reading, a limited number, each with its own thread. SQLite's calls block, and while they blocked
/// threads of the thread pool, the timers and connections that cancel reads would wait for those reads.
/// </summary>
internal sealed class SessionPool(Func<SqliteSession> open, int size) : IAsyncDisposable
{
    private readonly ConcurrentStack<Reader> _idle = [];
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
            var reader = _idle.TryPop(out var idle) ? idle : new Reader(open);
            try
            {
                return await reader.RunAsync(work, cancellationToken);
            }
            finally
            {
                _idle.Push(reader);
            }
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

        while (_idle.TryPop(out var reader))
        {
            reader.Dispose();
        }

        _permits.Release(size);
    }

    /// <summary>A thread with a connection, which runs one piece of work at a time.</summary>
    private sealed class Reader : IDisposable
    {
        private readonly BlockingCollection<Action> _work = [];
        private readonly Func<SqliteSession> _open;
        private readonly Thread _thread;
        private SqliteSession? _session;

        public Reader(Func<SqliteSession> open)
        {
            _open = open;
            _thread = new Thread(Loop) { IsBackground = true, Name = "store reader" };
            _thread.Start();
        }

        public Task<T> RunAsync<T>(Func<SqliteSession, T> work, CancellationToken cancellationToken)
        {
            var completion = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
            _work.Add(
                () =>
                {
                    try
                    {
                        completion.SetResult(Run(work, cancellationToken));
                    }
                    catch (Exception exception)
                    {
                        completion.SetException(exception);
                    }
                },
                CancellationToken.None);
            return completion.Task;
        }

        public void Dispose()
        {
            _work.CompleteAdding();
            _thread.Join();
            _work.Dispose();
        }

        private void Loop()
        {
            foreach (var work in _work.GetConsumingEnumerable())
            {
                work();
            }

            _session?.Dispose();
        }

        private T Run<T>(Func<SqliteSession, T> work, CancellationToken cancellationToken)
        {
            try
            {
                var session = _session ??= Open();
                session.Cancellation = cancellationToken;
                try
                {
                    session.Execute("BEGIN");
                    cancellationToken.ThrowIfCancellationRequested();
                    return work(session);
                }
                finally
                {
                    // Not a SqliteTransaction: prepared commands would keep a reference to it. The end of the
                    // transaction must not be interrupted.
                    session.Cancellation = CancellationToken.None;
                    session.EndTransaction();
                }
            }
            catch (SqliteException exception)
            {
                cancellationToken.ThrowIfCancellationRequested();
                throw SqliteFaults.ToFault(exception);
            }
        }

        private SqliteSession Open()
        {
            var session = _open();
            session.CheckCancellation();
            return session;
        }
    }
}
