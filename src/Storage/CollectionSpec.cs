namespace Embeddings.Storage;

/// <summary>What a collection must be.</summary>
/// <param name="Name">Its name, already checked by the caller: 1 to 128 of a-z, A-Z, 0-9, <c>_</c>, <c>-</c>, <c>.</c>.</param>
/// <param name="Dimension">Numbers in each vector.</param>
/// <param name="Model">Who fills it; null where that is not known, and then anything may.</param>
internal sealed record CollectionSpec(string Name, int Dimension, ModelStamp? Model);
