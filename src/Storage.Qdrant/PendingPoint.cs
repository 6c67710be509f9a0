using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant;

/// <summary>A point to write, and the versions of it that were to be written before and that this one replaces.</summary>
internal sealed record PendingPoint(Guid Id, PointStruct Point, int Bytes, UpsertJob Job, PendingPoint? Earlier = null)
{
    /// <summary>This version and those it replaces, newest first.</summary>
    public IEnumerable<PendingPoint> Versions
    {
        get
        {
            for (var version = this; version is not null; version = version.Earlier)
            {
                yield return version;
            }
        }
    }

    /// <summary>The newest version that somebody still wants written; null where nobody does.</summary>
    public PendingPoint? Wanted => Job.IsCancelled ? Earlier?.Wanted : this;
}
