namespace Embeddings.QdrantDouble.Troubles;

/// <summary>What goes wrong with a call.</summary>
public enum TroubleKind
{
    /// <summary>It fails with a status.</summary>
    Fail,

    /// <summary>It is never answered.</summary>
    Stall,

    /// <summary>Its connection breaks, and with it every other call on it.</summary>
    Drop,

    /// <summary>It is answered late.</summary>
    Late,
}
