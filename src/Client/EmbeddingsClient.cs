namespace Embeddings.Client;

public sealed class EmbeddingsClient;
