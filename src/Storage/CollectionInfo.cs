namespace Embeddings.Storage;

/// <summary>A collection as it is.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Dimension">Numbers in each vector.</param>
/// <param name="Count">Points in it.</param>
/// <param name="Model">Who fills it; null while nobody known has.</param>
internal sealed record CollectionInfo(string Name, int Dimension, long Count, ModelStamp? Model);
