using Embeddings.V1;

namespace Embeddings.Cli.Printing;

/// <summary>Counts of the faces in ingested photos.</summary>
internal sealed class PhotoCounts
{
    private readonly SortedDictionary<LeftOutReason, long> _leftOut = [];

    /// <summary>Faces stored.</summary>
    public long Faces { get; private set; }

    /// <summary>Photos of which no face was stored.</summary>
    public long WithoutFaces { get; private set; }

    /// <summary>Earlier faces of the same photos that were removed.</summary>
    public long Removed { get; private set; }

    /// <summary>Faces that were found and not stored, by reason.</summary>
    public IReadOnlyDictionary<string, long> LeftOut => _leftOut.ToDictionary(count => FaceFields.Word(count.Key), count => count.Value);

    public void Add(PhotoAck ack)
    {
        Faces += ack.Faces.Count;
        WithoutFaces += ack.Faces.Count == 0 ? 1 : 0;
        Removed += ack.RemovedCount;
        foreach (var face in ack.LeftOut)
        {
            _leftOut[face.Reason] = _leftOut.GetValueOrDefault(face.Reason) + 1;
        }
    }

    /// <summary>The counts as one line.</summary>
    public override string ToString()
    {
        var parts = new List<string> { $"{FaceFields.Count(Faces, "face", "faces")} stored" };
        if (_leftOut.Count > 0)
        {
            var reasons = LeftOut.Select(count => $"{count.Value:N0} {count.Key}");
            parts.Add($"{_leftOut.Values.Sum():N0} left out ({string.Join(", ", reasons)})");
        }
        if (WithoutFaces > 0)
        {
            parts.Add(FaceFields.Count(WithoutFaces, "photo without a face", "photos without a face"));
        }
        if (Removed > 0)
        {
            parts.Add($"{FaceFields.Count(Removed, "earlier face", "earlier faces")} removed");
        }
        return string.Join(", ", parts);
    }
}
