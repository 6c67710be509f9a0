namespace Embeddings.QdrantDouble.Troubles;

/// <summary>Kinds of injected failures.</summary>
public enum TroubleKind
{
    /// <summary>The call fails with a status.</summary>
    Fail,

    /// <summary>The call gets no response.</summary>
    Stall,

    /// <summary>The connection is aborted, with all its calls.</summary>
    Drop,

    /// <summary>The response is delayed.</summary>
    Late,
}
