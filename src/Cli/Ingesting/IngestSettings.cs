namespace Embeddings.Cli.Ingesting;

/// <summary>What every item of an ingest has in common.</summary>
/// <param name="Kind">Whole images or faces.</param>
/// <param name="Model">Name of the model; empty for the server's default one.</param>
/// <param name="Collection">Where to store.</param>
/// <param name="MaxBytes">The largest picture to send, bytes.</param>
internal sealed record IngestSettings(ItemKind Kind, string Model, string Collection, int MaxBytes);
