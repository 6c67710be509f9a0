namespace Embeddings.Storage;

/// <summary>The model that fills a collection.</summary>
/// <param name="Name">Its name, for messages.</param>
/// <param name="Fingerprint">SHA-256 over file and preprocessing, 64 hex digits; what is compared.</param>
internal sealed record ModelStamp(string Name, string Fingerprint);
