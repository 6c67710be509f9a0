using Grpc.Core;

namespace Embeddings.Server.Grpc.Persons;

/// <summary>
/// Sends the progress of a grouping. While a message waits for the client to read, the next ones are left out. Methods that
/// send are not thread-safe.
/// </summary>
internal sealed class ClusterProgressWriter(
    IServerStreamWriter<V1.ClusterFacesResponse> responses, CancellationToken cancellationToken)
{
    private Task _write = Task.CompletedTask;
    private V1.ClusterProgress _sent = new() { ReadCount = -1 };
    private long _read;
    private long _total;
    private long _compared;

    public Task ReadAsync(long read, long total)
    {
        (_read, _total) = (read, total);
        return ReportAsync();
    }

    /// <summary>Sets the number of faces, which is now known.</summary>
    public void AllRead(long faces) => (_read, _total) = (faces, faces);

    /// <summary>Counts faces that have been compared with all others; thread-safe.</summary>
    public void Compared(int faces) => Interlocked.Add(ref _compared, faces);

    /// <summary>Sends the current state unless that has been sent, or a message waits.</summary>
    public async Task ReportAsync()
    {
        if (_write.IsCompleted)
        {
            await SendAsync();
        }
    }

    /// <summary>Sends the last state, after which other messages can be sent.</summary>
    public async Task EndAsync()
    {
        await _write;
        await SendAsync();
        await _write;
    }

    // Does not wait until the message has been sent.
    private async Task SendAsync()
    {
        await _write;
        var state = new V1.ClusterProgress { ReadCount = _read, ComparedCount = Interlocked.Read(ref _compared), TotalCount = _total };
        if (!state.Equals(_sent))
        {
            _sent = state;
            _write = responses.WriteAsync(new() { Progress = state }, cancellationToken);
        }
    }
}
