namespace Embeddings.Tooling.Models.Presets;

/// <summary>A published model file.</summary>
/// <param name="Url">Where it is.</param>
/// <param name="Sha256">What it must be, 64 hex digits.</param>
/// <param name="Size">Bytes.</param>
/// <param name="Licence">Licence of the weights, an SPDX identifier where there is one.</param>
/// <param name="LicenceText">What is shown of it.</param>
/// <param name="NonCommercial">Whether it allows no commercial use; then it has to be accepted by name.</param>
internal sealed record PresetDownload(Uri Url, string Sha256, long Size, string Licence, string LicenceText, bool NonCommercial = false);
