using System.ComponentModel.DataAnnotations;
using Embeddings.Server.Grpc.Mapping;

namespace Embeddings.Server.Hosting;

/// <summary>
/// Choice of the store, and names of the default collections. Section <c>Store</c>; each kind of store has a section of its own in it.
/// </summary>
internal sealed record StoreOptions : IValidatableObject
{
    /// <summary><c>Embedded</c> (files on this machine) or <c>Qdrant</c> (a cluster).</summary>
    /// <value>Default: <c>Embedded</c>.</value>
    [EnumDataType(typeof(StoreKind))]
    public StoreKind Kind { get; init; } = StoreKind.Embedded;

    /// <summary>
    /// Name or alias of the collection of whole images, used by requests that name none: 1 to 128 of the characters a-z, A-Z, 0-9,
    /// <c>_</c>, <c>-</c>, and <c>.</c>, starting with a letter or digit.
    /// </summary>
    /// <value>Default: <c>image_embeddings</c>.</value>
    public string ImageCollection { get; init; } = "image_embeddings";

    /// <summary>Name or alias of the collection of faces, used by requests that name none; another than that of images.</summary>
    /// <value>Default: <c>face_embeddings</c>.</value>
    public string FaceCollection { get; init; } = "face_embeddings";

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        foreach (var (setting, name) in (ReadOnlySpan<(string, string)>)[
            (nameof(ImageCollection), ImageCollection), (nameof(FaceCollection), FaceCollection)])
        {
            if (!Require.IsCollection(name))
            {
                return
                [
                    new($"{setting} must have 1 to 128 characters from a-z, A-Z, 0-9, '_', '-', and '.', and start with a letter or "
                        + $"digit; got '{name}'."),
                ];
            }
        }
        return ImageCollection == FaceCollection
            ? [new($"FaceCollection must be another collection than ImageCollection; got '{FaceCollection}' for both.")]
            : [];
    }
}

/// <summary>Kinds of stores.</summary>
internal enum StoreKind
{
    /// <summary>Files on this machine, searched exactly in memory.</summary>
    Embedded,

    /// <summary>A Qdrant cluster.</summary>
    Qdrant,
}
