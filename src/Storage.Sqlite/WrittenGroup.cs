namespace Embeddings.Storage.Sqlite;

/// <summary>A group after its transaction.</summary>
/// <param name="Requests">Who waits for it.</param>
/// <param name="Context">What memory has to learn; null where the transaction failed.</param>
/// <param name="Error">Why it failed.</param>
internal readonly record struct WrittenGroup(List<WriteRequest> Requests, WriteContext? Context, Exception? Error)
{
    /// <summary>Points that it may have added, counted as its requests do.</summary>
    public long Points => Requests.Sum(static request => (long)request.Points);
}
