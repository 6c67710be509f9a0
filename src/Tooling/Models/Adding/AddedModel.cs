using Embeddings.Core.Models;
namespace Embeddings.Tooling.Models.Adding;

/// <summary>A model that was added.</summary>
/// <param name="File">Its <c>.onnx</c> file in the target folder.</param>
/// <param name="Manifest">As written beside it.</param>
/// <param name="Fingerprint">What collections will remember.</param>
/// <param name="MaxBatch">The largest batch that it can be trusted with here.</param>
/// <param name="Facts">What was found in its graph, a fact each.</param>
/// <param name="Notices">What an operator should know.</param>
internal sealed record AddedModel(
    string File, ModelManifest Manifest, string Fingerprint, int MaxBatch, IReadOnlyList<string> Facts, IReadOnlyList<string> Notices);
