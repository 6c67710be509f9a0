using Embeddings.Primitives;

namespace Embeddings.Server.Privacy;

/// <summary>The suppression list of the server, if it has one.</summary>
internal sealed class Suppression : IDisposable
{
    public Suppression(PrivacyOptions options, TimeProvider time) =>
        List = options.SuppressionFile is { Length: > 0 } path ? SuppressionList.Open(path, time) : null;

    public SuppressionList? List { get; }

    /// <summary>FAILED_PRECONDITION if the server has no list.</summary>
    public void RequireList() => _ = Required();

    /// <summary>Adds entries to the list, durably.</summary>
    public void Add(IEnumerable<SuppressedId> ids) => Required().Add(ids);

    /// <summary>
    /// FAILED_PRECONDITION if the points of a job must not be stored in a collection: before the server spends time on an item.
    /// The store checks again.
    /// </summary>
    public void RequireFree(string collection, string pointId, string jobId)
    {
        if (List is { } list
            && (list.ContainsJob(collection, jobId) || (pointId.Length > 0 && list.ContainsPoint(collection, pointId))))
        {
            throw SuppressionList.Refusal(collection, pointId.Length > 0 ? pointId : jobId);
        }
    }

    public void Dispose() => List?.Dispose();

    private SuppressionList Required() => List ?? throw new Fault(
        FaultKind.FailedPrecondition,
        Reasons.SuppressionOff,
        "The server has no suppression list. Set Privacy:SuppressionFile, or delete without suppress.",
        "suppress")
        .With(FaultKeys.Setting, "Privacy:SuppressionFile");
}
