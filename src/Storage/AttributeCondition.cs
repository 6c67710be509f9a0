namespace Embeddings.Storage;

/// <summary>
/// A condition on one top-level field of the user's attributes: exactly one of the four is not null. Types are strict, and an absent field never matches.
/// </summary>
internal sealed record AttributeCondition(string Key, string? Text = null, double? Number = null, bool? Flag = null, NumericRange? Range = null);
