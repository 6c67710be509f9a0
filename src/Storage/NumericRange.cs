namespace Embeddings.Storage;

/// <summary>A range of numbers: all bounds that are not null must hold, and one is not null.</summary>
internal sealed record NumericRange(double? Gt, double? Gte, double? Lt, double? Lte);
