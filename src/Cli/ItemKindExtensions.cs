namespace Embeddings.Cli;

/// <summary>What follows from a picture's kind.</summary>
internal static class ItemKindExtensions
{
    /// <summary>The collection the service keeps the kind in where a request names none.</summary>
    public static string Collection(this ItemKind kind) => kind == ItemKind.Face ? "face_embeddings" : "image_embeddings";

    public static string Word(this ItemKind kind) => kind == ItemKind.Face ? "face" : "image";
}
