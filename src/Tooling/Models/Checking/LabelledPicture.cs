using Embeddings.Core;

namespace Embeddings.Tooling.Models.Checking;

/// <summary>A picture of which it is known what it shows.</summary>
/// <param name="Label">Whom or what: the same for all pictures of one person.</param>
/// <param name="Path">The file.</param>
/// <param name="Landmarks">The face's five points in the file's pixels, where it is to be aligned.</param>
internal sealed record LabelledPicture(string Label, string Path, Landmarks? Landmarks);
