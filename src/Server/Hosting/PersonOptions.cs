using System.ComponentModel.DataAnnotations;

namespace Embeddings.Server.Hosting;

/// <summary>Limits of the grouping of faces by persons. Section <c>Persons</c>.</summary>
internal sealed record PersonOptions
{
    /// <summary>
    /// Maximum number of faces in a grouping. Its time grows with the square of their number, its memory is about 3.6 KB for a
    /// face of 512 dimensions.
    /// </summary>
    /// <value>Default: 200,000. From 1 to 2,000,000.</value>
    [Range(1, 2_000_000)]
    public int MaxClusterFaces { get; init; } = 200_000;
}
