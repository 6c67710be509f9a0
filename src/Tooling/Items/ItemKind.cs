namespace Embeddings.Tooling.Items;

/// <summary>Kind of an item; <c>--kind</c>.</summary>
internal enum ItemKind
{
    /// <summary>A whole image.</summary>
    Image,

    /// <summary>A face: an aligned crop, or an image with landmarks.</summary>
    Face,

    /// <summary>A photo, whose faces the server finds.</summary>
    Photo,
}

/// <summary>Names that depend on the kind of an item.</summary>
internal static class ItemKinds
{
    /// <summary>Default collection of the kind.</summary>
    public static string Collection(this ItemKind kind) => kind == ItemKind.Image ? "image_embeddings" : "face_embeddings";

    /// <summary>Name of the kind in messages and in JSON.</summary>
    public static string Word(this ItemKind kind) => kind switch
    {
        ItemKind.Image => "image",
        ItemKind.Face => "face",
        _ => "photo",
    };
}
