using Embeddings.Core.Faces;
using Embeddings.Core.Memory;
using Embeddings.Primitives;
using Embeddings.Server.Grpc.Errors;

namespace Embeddings.Server.Grpc.Persons;

/// <summary>The memory of a grouping, as a part of that for messages.</summary>
internal sealed class ClusterMemory : IDisposable
{
    // Bytes of ids and photos that the estimate for a face includes.
    private const int IncludedText = 64;

    // The charge grows by this part of itself.
    private const int Growth = 8;

    private readonly FairGate _gate;
    private readonly int _dimension;
    private Charge _charge;
    private long _faces;
    private long _text;

    /// <summary>
    /// Takes the memory for a number of faces. RESOURCE_EXHAUSTED if it is in use (to be retried) or more than there is.
    /// </summary>
    public ClusterMemory(FairGate gate, long faces, int dimension)
    {
        (_gate, _dimension) = (gate, dimension);
        var bytes = Clustering.BytesFor(faces, dimension);
        if (bytes > gate.Largest)
        {
            throw TooLarge(bytes);
        }
        _charge = new(bytes, bytes, IsLarge: bytes > MemoryBudget.MediumBytes);
        if (!gate.TryEnter(_charge))
        {
            throw FaultStatus.MemoryFull();
        }
    }

    /// <summary>Counts a face, which may be one more than expected or have long texts.</summary>
    public void Add(int textLength)
    {
        _faces++;
        _text += Math.Max(0, textLength - IncludedText) * sizeof(char);
        var bytes = Clustering.BytesFor(_faces, _dimension) + _text;
        if (bytes <= _charge.Bytes)
        {
            return;
        }
        bytes += bytes / Growth;
        if (bytes > _gate.Largest)
        {
            throw TooLarge(bytes);
        }
        if (!_gate.TryResize(ref _charge, bytes))
        {
            throw FaultStatus.MemoryFull();
        }
    }

    public void Dispose() => _gate.Exit(_charge);

    private Fault TooLarge(long bytes) => new Fault(
        FaultKind.ResourceExhausted,
        Reasons.TooManyFaces,
        $"The faces need about {bytes} bytes of memory for their grouping; at most {_gate.Largest} are available for it "
            + "(Memory:LimitBytes). Group a part of the collection with a filter, or give the server more memory.")
        .With(FaultKeys.Limit, _gate.Largest)
        .With(FaultKeys.Actual, bytes)
        .With(FaultKeys.Setting, "Memory:LimitBytes");
}
